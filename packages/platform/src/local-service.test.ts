import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import type { LineConnection } from '@meseta/base';
import { connectLines } from './line-connections.js';
import { listenLocally } from './local-service.js';
import { until } from './testing/until.js';

const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
});

/** Echoes lines; its path is longer than that of a socket may be. */
async function startEcho(): Promise<string> {
  const directory = mkdtempSync(`${tmpdir()}/meseta-service-${'x'.repeat(100)}-`);
  const listening = await listenLocally(directory, 'echo', 'in use', async () => (connection) => ({
    onLine: (line) => connection.send(line),
    onClosed: () => {},
  }));
  assert.ok(listening.ok, listening.ok ? '' : listening.error);
  closing.push(() => {
    listening.value.close();
    rmSync(directory, { recursive: true });
  });
  return directory;
}

test('lines arrive in order and whole, whatever their length, and what was sent before the close still arrives', async () => {
  const directory = await startEcho();
  const lines = ['', 'a', 'ä'.repeat(500_000), 'last'];
  const received: string[] = [];
  const connected = await new Promise<LineConnection>((resolve, reject) => {
    void connectLines(directory, 'echo', { onLine: (line) => received.push(line), onClosed: () => {} }).then(
      (result) => (result.ok ? resolve(result.value) : reject(new Error(result.error.message))),
    );
  });
  for (const line of lines) connected.send(line);
  await until('all lines are back', () => received.length === lines.length);
  assert.deepEqual(received, lines);
  connected.close();
});

test('SERVICE-1: a second process that wants to listen in a directory is refused', async () => {
  const directory = await startEcho();
  const second = await listenLocally(directory, 'echo', 'in use', () => assert.fail('it was started'));
  assert.deepEqual(second, { ok: false, error: 'in use' });
});

test('SERVICE-2: a process of another user is not served, even where it can reach the socket', {
  skip: process.getuid?.() !== 0,
}, async () => {
  const directory = await startEcho();
  chmodSync(directory, 0o755);
  chmodSync(`${directory}/echo`, 0o777);
  const script = `process.chdir(process.argv[1]);
    const socket = require('node:net').connect('echo', () => socket.write('hello\\n'));
    socket.on('data', (data) => console.log('data ' + data)).on('error', () => {}).on('close', () => console.log('closed'));`;
  const run = (uid: number): Promise<string> =>
    new Promise((resolve, reject) => {
      execFile(process.execPath, ['-e', script, directory], { uid, gid: uid, timeout: 20_000 }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
    });
  assert.equal(await run(65534), 'closed\n');
});
