import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@meseta/platform/testing/until';
import { logTail, startDaemonProcess, untilHealthy } from './daemon-process.js';
import { createDaemons } from './testing/daemons.js';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('DAEMON-PROCESS-1: a process that ignores its signal is killed after the timeout', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-daemon-process-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const script = 'trap "" TERM; echo ready; while :; do sleep 0.05; done';
  const daemon = startDaemonProcess({
    kind: 'master',
    command: ['/bin/sh', '-c', script],
    flags: [],
    logFile: join(directory, 'log'),
  });
  await until('the script runs', () => logTail(daemon).includes('ready'));
  await daemon.stop({ timeoutMs: 100 });
  assert.equal(await daemon.ended, 'SIGKILL');
  assert.deepEqual([daemon.isRunning(), isAlive(daemon.pid)], [false, false]);
});

test('a process that ends at its start is reported with its status and the end of its log', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-daemon-process-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const command: [string, ...string[]] = ['/bin/sh', '-c', 'echo no such flag; exit 3'];
  const daemon = startDaemonProcess({ kind: 'agent', command, flags: [], logFile: join(directory, 'log') });
  await daemon.ended;
  await assert.rejects(untilHealthy(daemon, '127.0.0.1:9', 5_000), /the agent ended \(3\); .*\n {2}no such flag/);
});

test('DAEMONS-1: stop ends the processes and removes their directory', async () => {
  const daemons = createDaemons();
  const master = await daemons.master(['--registry=in_memory']);
  assert.ok(isAlive(master.pid) && existsSync(daemons.directory));
  await daemons.stop();
  assert.deepEqual([isAlive(master.pid), existsSync(daemons.directory)], [false, false]);
});
