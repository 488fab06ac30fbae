// Every command against a real master and agent: its output and its exit status.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '@meseta/platform/testing/until';
import type { Explanation } from '@meseta/sdk';
import { collectOutput } from './testing/output.js';
import { createTestCluster, type TestCluster } from './testing.js';

const meseta = join(process.cwd(), 'bin/meseta');
let cluster: TestCluster;

before(async () => {
  cluster = await createTestCluster();
  await cluster.startMaster();
  await cluster.startAgent();
  await until('the agent to register', async () => /active/.test((await run('agent', 'list')).out));
});
after(() => cluster.stop());

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly ended: Promise<Ended>;
  out(): string;
  interrupt(): void;
}

function start(...argv: readonly string[]): Running {
  const child = spawn(process.execPath, [meseta, ...argv], { env: { ...process.env, MESETA_MASTER: cluster.master } });
  const { out, err } = collectOutput(child);
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (status) => resolve({ status, out: out(), err: err() })),
  );
  return { ended, out, interrupt: () => void child.kill('SIGINT') };
}

const run = (...argv: readonly string[]): Promise<Ended> => start(...argv).ended;

type Line = readonly [line: string, status: number, output: RegExp];

/** Runs the lines, split at spaces, and checks the status and the output of each. */
async function runAll(lines: readonly Line[]): Promise<void> {
  for (const [line, status, output] of lines) {
    const ended = await run(...line.split(' '));
    assert.equal(ended.status, status, `${line}: ${ended.out}${ended.err}`);
    assert.match(`${ended.out}${ended.err}`, output, line);
  }
}

test('a wrong command line ends with status 2 and names the argument', async () => {
  await runAll([
    ['frobnicate', 2, /unknown command 'frobnicate'/],
    ['task kil', 2, /unknown verb 'kil', expected one of list, logs, exec, attach, kill/],
    ['task list --bogus', 2, /Unknown option '--bogus'/],
    ['task logs', 2, /expected TASK, got nothing/],
    ['run --timeout=1 -- true', 2, /--timeout: expected a duration such as 15secs/],
    ['task kill x --grace=-1secs', 2, /--grace: expected a duration of at least 0/],
    ['agent drain localhost --grace=5', 2, /--grace: expected a duration/],
    ['maintenance schedule localhost --duration=soon', 2, /--duration: expected a duration/],
    ['sim --duration=1', 2, /--duration: expected a duration/],
    ['sim --seed=1.5', 2, /--seed: expected a whole number from 0/],
    ['up --tasks=many', 2, /--tasks: expected a whole number from 0 to 1000000, got 'many'/],
    ['run --timeout=5weeks -- true', 2, /--timeout: expected a duration of at most 24days/],
    ['weights set web', 2, /expected ROLE=WEIGHT/],
    ['quota set web', 2, /expected --guarantee, --limit or both/],
    ['reserve localhost cpus:x --role=web', 2, /got 'cpus:x'/],
    ['task list --help', 0, /--all/],
    ['--version', 0, /^meseta \d+\.\d+\.\d+\n$/],
    ['state --master=127.0.0.1:9', 3, /no master answers at 127.0.0.1:9/],
  ]);
});

test('commands change weights, quota, reservations and volumes, and list them', async () => {
  await runAll([
    ['weights set web=2.5', 0, /web: 2.5/],
    ['weights list', 0, /web +2\.5/],
    ['quota set web --guarantee=cpus:1 --limit=cpus:2;mem:512', 0, /web: set/],
    ['quota set web --limit=cpus:3', 0, /web: set/],
    ['quota list', 0, /web +cpus:1 +cpus:3/],
    ['quota set big --guarantee=cpus:1000', 1, /400/],
    ['reserve localhost cpus:1;disk:512 --role=web', 0, /reserved for web/],
    ['volume create localhost data 128 --role=web', 0, /data: created/],
  ]);
  const shows = (pattern: RegExp, ...argv: readonly string[]) =>
    until(String(pattern), async () => pattern.test((await run(...argv)).out), 15_000);
  await shows(/data +128 +web/, 'volume', 'list');
  await runAll([['volume grow localhost data 64', 0, /64 MB added/]]);
  await shows(/data +192 +web/, 'volume', 'list');
  await runAll([['volume destroy localhost data', 0, /destroyed/]]);
  await shows(/^(?!.*data)/s, 'volume', 'list');
  await runAll([
    ['unreserve localhost cpus:1;disk:512 --role=web', 0, /no longer reserved/],
    ['unreserve localhost cpus:1 --role=web', 1, /no cpus of the agent is reserved for web/],
    ['quota remove web', 0, /web: removed/],
    ['roles', 0, /web +2\.5/],
  ]);
});

test('commands change the state of agents and the maintenance schedule, and show them', async () => {
  await runAll([
    ['agent deactivate localhost', 0, /deactivated/],
    ['agent list', 0, /deactivated/],
    ['agent reactivate S0', 0, /active/],
    ['agent drain nobody', 1, /no agent nobody/],
    ['maintenance schedule localhost --start=2hrs --duration=30mins', 0, /localhost\/127\.0\.0\.1.*30 min/],
    ['maintenance status', 0, /draining/],
    ['maintenance cancel localhost', 0, /no longer scheduled/],
    ['maintenance cancel localhost', 1, /in no window/],
    ['metrics master/elected', 0, /master\/elected +1/],
    ['state', 0, /1 active/],
  ]);
});

test('run exits with the status of its command', async () => {
  const outcomes: readonly (readonly [argv: readonly string[], status: number, out: string])[] = [
    [['--command=echo out; echo err >&2; exit 3'], 3, 'out\n'],
    [['--env=A=b', '--', 'sh', '-c', 'echo $A'], 0, 'b\n'],
    [['--command=kill -9 $$'], 137, ''],
    [['--', '/bin/echo', 'by its path'], 0, 'by its path\n'],
    [['--name=a/b', '--command=echo named'], 0, 'named\n'],
    [['--cpus=1000', '--timeout=1secs', '--', 'true'], 1, ''],
    [['--master=127.0.0.1:9', '--', 'true'], 3, ''],
  ];
  for (const [argv, status, out] of outcomes) {
    const ended = await run('run', ...argv);
    assert.deepEqual([ended.status, ended.out], [status, out], ended.err);
  }
  const named = await run('run', '--command=echo hello from $MESOS_TASK_ID');
  assert.match(named.out, /^hello from \S+\n$/);
  assert.equal((await run('run', '--env=MESOS_TASK_ID=mine', '--command=echo $MESOS_TASK_ID')).out, 'mine\n');
  const long = await run('run', '--', 'seq', '1', '100000');
  assert.equal(long.out.split('\n').length, 100_001);
});

test('a task is explained, killed by an operator and watched; Ctrl-C of run kills its task', async () => {
  const watching = start('watch');
  await until('watch to begin', () => watching.out().includes('watching'));
  const running = start('run', '--name=long', '--command=echo started; sleep 600');
  await until('the task to run', () => running.out().includes('started'));
  const [task] = JSON.parse((await run('task', 'list', '--json')).out) as { task_id: { value: string } }[];
  const id = task?.task_id.value ?? '';
  const explained = await run('explain', 'task', id, '--json');
  assert.equal((JSON.parse(explained.out) as Explanation).task?.state, 'TASK_RUNNING');
  assert.match((await run('explain', 'long')).out, /suppressed offers for the role \*/);
  assert.match((await run('task', 'kill', id)).out, /kill requested/);
  assert.equal((await running.ended).status, 143);
  assert.match((await run('explain', 'task', id)).out, /It ended on localhost: TASK_KILLED/);
  await until('watch to print the end', () => watching.out().includes('TASK_KILLED'));
  watching.interrupt();
  await watching.ended;

  const another = start('run', '--name=mine', '--command=echo started; sleep 600');
  await until('the task to run', () => another.out().includes('started'));
  another.interrupt();
  assert.equal((await another.ended).status, 130);
  await until('its task to end', async () => (await run('task', 'list')).out.split('\n').length === 2, 15_000);
});
