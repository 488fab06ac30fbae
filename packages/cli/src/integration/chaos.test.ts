import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithout } from '@meseta/coordination/testing/servers';
import { until } from '@meseta/platform/testing/until';
import { processesWith } from './testing/processes.js';

for (const [kind, servers, seed] of [
  // The leader is cut off, the server killed, the leader killed.
  ['zookeeper', 1, 168],
  // The leader is cut off, a server paused, a server killed.
  ['etcd', 3, 148],
] as const) {
  test(`CHAOS-NETWORK-1, LEADERSHIP-1, TERM-1: with faults of the leader and of ${kind} no task is lost, doubled or unknown, and nothing is left`, {
    skip: skipWithout(kind),
    timeout: 180_000,
  }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'meseta-chaos-test-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const interfaces = Object.keys(networkInterfaces()).sort();
    const service = [`--coordinator=${kind}`, `--servers=${servers}`];
    const argv = [...service, '--for=20secs', `--seed=${seed}`, '--agents=2', `--work-dir=${directory}`];
    const done = spawnSync(process.execPath, ['bin/meseta', 'chaos', ...argv], { encoding: 'utf8', timeout: 150_000 });
    const text = done.stdout + done.stderr;
    assert.equal(done.status, 0, text);
    assert.match(text, /^\d+ faults, [1-9] of them at servers of the election; /m);
    assert.match(text, / 0 lost, 0 doubled, 0 unknown$/m);
    assert.match(text, /^ {2}master-\d -> master-\d: elected after \d.*, framework after \d/m);
    const [, started = '0', finished] = /^tasks: (\d+) started, (\d+) finished/m.exec(text) ?? [];
    assert.equal(finished, started);
    assert.ok(Number(started) > 40, text);
    await until('the end of all processes', () => processesWith(directory).length === 0);
    assert.deepEqual(Object.keys(networkInterfaces()).sort(), interfaces);
  });
}

for (const [what, signal, status] of [
  ['INTERRUPTION-1: meseta chaos that is interrupted', 'SIGINT', [0, null]],
  ['GUARDIAN-1: kill -9 of meseta chaos', 'SIGKILL', [null, 'SIGKILL']],
] as const) {
  test(`${what} while its cluster starts ends it`, { skip: skipWithout('etcd'), timeout: 120_000 }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'meseta-chaos-test-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const argv = ['chaos', '--coordinator=etcd', '--masters=2', '--agents=1', `--work-dir=${directory}`];
    const chaos = spawn(process.execPath, ['bin/meseta', ...argv], { stdio: 'ignore' });
    const ended = once(chaos, 'exit');
    await until('the start of a master', () => processesWith(`${directory}/master`).length > 0);
    chaos.kill(signal);
    assert.deepEqual(await ended, status);
    await until('the end of all processes', () => processesWith(directory).length === 0, 60_000);
  });
}

test('meseta chaos refuses one master, which has no failover', () => {
  const done = spawnSync(process.execPath, ['bin/meseta', 'chaos', '--masters=1'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(done.status, 2);
  assert.match(done.stderr, /^meseta chaos: --masters: expected at least 2, got '1'/);
});
