import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build } from 'esbuild';
import { realClock } from './clock.js';
import { createLineWriter } from './stderr.js';

test('the real clock agrees with Date.now and never goes back', () => {
  let before = realClock.now();
  for (let i = 0; i < 1000; i++) {
    const now = realClock.now();
    assert.ok(now.monoMs >= before.monoMs);
    assert.ok(Math.abs(now.wallMs - Date.now()) < 1000);
    before = now;
  }
});

describe('a daemon process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-daemon-'));
  const program = join(directory, 'daemon.mjs');
  after(() => rmSync(directory, { recursive: true, force: true }));
  before(() =>
    build({
      stdin: {
        contents: `
          import { installDaemon } from './daemon.js';
          import { createLogger } from './log.js';
import { createLineWriter } from './stderr.js';
          const mode = process.argv[2];
          const log = createLogger({ component: 'test' });
          installDaemon({ log, stop: async () => { if (mode === 'hang') await new Promise(() => {}); log.info('closed'); } });
          const timer = setInterval(() => {}, 1000);
          process.stdout.write('ready');
          if (mode === 'chatter') {
            const line = 'x'.repeat(50_000);
            for (let i = 0; i < 100; i++) setImmediate(() => log.info(line));
            setTimeout(() => process.stdout.write(' alive ' + (process.stderr.writableLength < 1.2e6)), 200);
          }
          if (mode === 'throw') setImmediate(() => { throw new Error('broken rule'); });
          if (mode === 'reject') Promise.reject(new Error('nobody waits'));
        `,
        resolveDir: 'packages/platform/src',
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
    }),
  );

  const cases: readonly (readonly [mode: string, signals: NodeJS.Signals[], status: number, says: RegExp])[] = [
    ['serve', ['SIGTERM'], 0, /SIGTERM: stopping.*closed/s],
    ['serve', ['SIGINT'], 0, /SIGINT: stopping.*closed/s],
    ['hang', ['SIGTERM', 'SIGTERM'], 1, /stopping/],
    ['throw', [], 1, /ERROR test: ending: Error: broken rule/],
    ['reject', [], 1, /ERROR test: ending: Error: nobody waits/],
  ];
  for (const [mode, signals, status, says] of cases) {
    test(`${mode} ${signals.join(' ')}: status ${status}`, async () => {
      const child = spawn(process.execPath, [program, mode]);
      let text = '';
      const left = [...signals];
      const signal = (): void => {
        const next = left.shift();
        if (next !== undefined) child.kill(next);
      };
      child.stderr.on('data', (chunk) => {
        text += chunk;
        if (mode === 'hang' && text.includes('stopping')) signal();
      });
      child.stdout.once('data', signal);
      const code = await new Promise((resolve) => child.on('close', resolve));
      assert.equal(code, status);
      assert.match(text, says);
    });
  }

  const logs: readonly (readonly [name: string, stderr: () => number | 'pipe', hangUp: boolean])[] = [
    ['a full disk', () => openSync('/dev/full', 'w'), false],
    ['a reader that takes nothing', () => 'pipe', false],
    ['a reader that has gone', () => 'pipe', true],
  ];
  for (const [name, open, hangUp] of logs) {
    test(`STDERR-1, STDERR-2: a log that goes to ${name} neither ends the daemon nor fills its memory`, async () => {
      const stderr = open();
      const child = spawn(process.execPath, [program, 'chatter'], { stdio: ['ignore', 'pipe', stderr] });
      if (hangUp) child.stderr?.destroy();
      let said = '';
      const alive = new Promise<void>((resolve) => {
        child.stdout?.on('data', (chunk) => {
          said += chunk;
          if (said.includes('alive')) resolve();
        });
        child.on('exit', () => resolve());
      });
      await alive;
      assert.equal(said, 'ready alive true');
      const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
      child.kill('SIGTERM');
      assert.equal(await ended, 0);
      child.stderr?.destroy();
      if (typeof stderr === 'number') closeSync(stderr);
    });
  }
});

test('STDERR-1, STDERR-2: dropped lines are counted, and logging continues when writes succeed', () => {
  let full = true;
  let waitingBytes = 0;
  const written: string[] = [];
  const write = createLineWriter({
    waitingBytes: () => waitingBytes,
    write(text) {
      if (full) throw new Error('ENOSPC');
      written.push(text);
    },
  });
  write('a\n');
  full = false;
  waitingBytes = 2 ** 20 - 1;
  write('b\n');
  waitingBytes = 2 ** 20 - 2;
  write('');
  waitingBytes = 0;
  write('c\n');
  assert.deepEqual(written, ['(2 lines of the log could not be written here)\n', 'c\n']);
});
