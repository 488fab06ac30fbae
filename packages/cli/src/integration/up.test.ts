import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithout } from '@meseta/coordination/testing/servers';
import { until } from '@meseta/platform/testing/until';
import { processesWith } from './testing/processes.js';

const TASKS = 12;

for (const kind of ['zookeeper', 'etcd'] as const) {
  test(`LOCAL-CLUSTER-1, LOCAL-CLUSTER-2: meseta up --masters=3 elects in ${kind}, starts a killed leader again, commands wait for the next one, and no process is left`, {
    skip: skipWithout(kind),
  }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'meseta-up-test-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const argv = [
      '--masters=3',
      `--coordinator=${kind}`,
      '--agents=1',
      '--tasks=6',
      '--port=15600',
      `--work-dir=${directory}`,
    ];
    const up = spawn(process.execPath, ['bin/meseta', 'up', ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    up.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const ended = new Promise((resolve) => up.once('exit', resolve));
    t.after(() => up.kill('SIGINT'));
    await until(
      () => `the cluster stays up: ${output}`,
      () => output.includes('Ctrl-C ends it'),
      120_000,
    );
    assert.match(output, /^ *TASK_FINISHED +6$/m);
    const master = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? '';
    const redirected = await fetch(`${master}/redirect`, { redirect: 'manual' });
    const leaderPort = new URL(redirected.headers.get('location') ?? '', master).port;
    const leadersAt = (): readonly string[] => {
      const masters = processesWith(`--work_dir=${directory}/master`);
      return processesWith(`--port=${leaderPort}\0`).filter((pid) => masters.includes(pid));
    };
    const [killed] = leadersAt();
    process.kill(Number(killed), 'SIGKILL');
    const address = /^ +(?:zookeeper|etcd) +(\S+)$/m.exec(output)?.[1] ?? '';
    // The session of the killed leader lasts some seconds longer.
    const list = ['bin/meseta', 'agent', 'list', `--master=${address}`];
    const listed = spawnSync(process.execPath, list, { encoding: 'utf8' });
    assert.equal(listed.status, 0, listed.stderr);
    await until('a new process of the killed leader', () => leadersAt().length === 1 && leadersAt()[0] !== killed);
    await until('the agent is listed', () => {
      const again = spawnSync(process.execPath, list, { encoding: 'utf8' });
      return /-S0 .* active /.test(again.stdout);
    });
    up.kill('SIGINT');
    assert.equal(await ended, 0);
    await until('the end of all processes', () => processesWith(directory).length === 0);
  });
}

test('several masters without ZooKeeper and etcd on the machine are refused with the packages to install', () => {
  const env = { ...process.env, PATH: '/nonexistent' };
  const argv = ['bin/meseta', 'up', '--masters=3', '--exit', '--tasks=0'];
  const done = spawnSync(process.execPath, argv, { encoding: 'utf8', env, timeout: 60_000 });
  assert.equal(done.status, 2, done.stdout + done.stderr);
  assert.match(
    done.stderr,
    /several masters need zookeeper or etcd .* install the package 'zookeeper' or 'etcd-server'/,
  );
});

test('WORKLOAD-1, LOCAL-CLUSTER-1: meseta up runs each task once, counts it once, and leaves no process', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-up-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const argv = ['up', '--exit', `--tasks=${TASKS}`, '--agents=2', '--port=15500', `--work-dir=${directory}`];
  const done = spawnSync(process.execPath, ['bin/meseta', ...argv], { encoding: 'utf8', timeout: 120_000 });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, new RegExp(`^ *TASK_FINISHED +${TASKS}$`, 'm'));
  assert.match(done.stdout, new RegExp(`^${TASKS} tasks in `, 'm'));
  // The supervisors end once their agents have closed their connections.
  await until('the end of all processes', () => processesWith(directory).length === 0);
});

const endings: readonly (readonly [what: string, end: (up: ChildProcess) => void])[] = [
  [
    'two Ctrl-C',
    (up) => {
      up.kill('SIGINT');
      setTimeout(() => up.kill('SIGINT'), 100);
    },
  ],
  ['a closed terminal', (up) => up.kill('SIGHUP')],
  ['a reader that needs no more output', (up) => up.stdout?.destroy()],
];
for (const [what, end] of endings) {
  test(`INTERRUPTION-1, LOCAL-CLUSTER-1: ${what} ends meseta up, and leaves no process`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'meseta-up-test-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const argv = ['up', '--tasks=2000', '--agents=1', '--port=15530', `--work-dir=${directory}`];
    const up = spawn(process.execPath, ['bin/meseta', ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => up.kill('SIGKILL'));
    const ended = once(up, 'exit', { signal: AbortSignal.timeout(90_000) });
    up.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('Running')) end(up);
    });
    assert.deepEqual(await ended, [0, null]);
    await until('the end of all processes', () => processesWith(directory).length === 0);
  });
}

test('GUARDIAN-1: kill -9 of meseta up ends its daemons, also a paused one, and its tasks, and removes its directory', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-up-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const argv = ['up', '--tasks=2000', '--agents=1', '--port=15520'];
  const env = { ...process.env, TMPDIR: directory };
  const up = spawn(process.execPath, ['bin/meseta', ...argv], { stdio: ['ignore', 'pipe', 'inherit'], env });
  let output = '';
  up.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await until('tasks run', () => /finished [1-9]/.test(output), 120_000);
  const [master] = processesWith(`/master`).filter((pid) => processesWith(directory).includes(pid));
  process.kill(Number(master), 'SIGSTOP');
  up.kill('SIGKILL');
  await until('the end of all processes', () => processesWith(directory).length === 0, 60_000);
  assert.deepEqual(readdirSync(directory), []);
});

test('meseta up that is interrupted while its tasks run ends with status 0', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-up-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const argv = ['up', '--tasks=2000', '--agents=1', '--port=15510', `--work-dir=${directory}`];
  const up = spawn(process.execPath, ['bin/meseta', ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => up.kill('SIGKILL'));
  const ended = once(up, 'exit', { signal: AbortSignal.timeout(90_000) });
  let output = '';
  up.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (!/finished [1-9]/.test(output) && /finished [1-9]/.test(output + text)) up.kill('SIGINT');
    output += text;
  });
  assert.deepEqual(await ended, [0, null], output);
  assert.doesNotMatch(output, /tasks in /, 'no summary of an interrupted workload');
  await until('the end of all processes', () => processesWith(directory).length === 0);
});
