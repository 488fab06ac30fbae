// SIGKILL of the agent, the master and the framework, each while 50 tasks run: no task is lost, none runs twice, and the
// framework receives every terminal state.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pause, until } from '@meseta/platform/testing/until';
import { commandTask, connectScheduler, isTerminal, launch, type SchedulerEvent } from '@meseta/sdk';
import { createTestCluster, type TestCluster } from './testing.js';

const TASKS = 50;
const RUN_SECONDS = 6;

/** The command of a task: records each run in a file, then runs for a while. */
const commandOf = (directory: string, id: string): string =>
  `echo ran >> ${directory}/runs/${id}; sleep ${RUN_SECONDS}; exit 0`;

interface FrameworkState {
  readonly frameworkId: string | undefined;
  readonly states: Readonly<Record<string, string>>;
}

const stateFile = (directory: string): string => join(directory, 'framework.json');
const readState = (directory: string): FrameworkState => {
  try {
    return JSON.parse(readFileSync(stateFile(directory), 'utf8')) as FrameworkState;
  } catch {
    return { frameworkId: undefined, states: {} };
  }
};

/** The framework, a separate process: launches the tasks once and follows their states. */
async function framework(directory: string, master: string): Promise<void> {
  let { frameworkId } = readState(directory);
  const states: Record<string, string> = { ...readState(directory).states };
  const save = (): void => {
    // Renamed into place, as this process is killed at any moment.
    writeFileSync(`${stateFile(directory)}.next`, JSON.stringify({ frameworkId, states }));
    renameSync(`${stateFile(directory)}.next`, stateFile(directory));
  };
  const scheduler = connectScheduler({ master, framework: { name: 'survivor' }, frameworkId });
  const react = async (event: SchedulerEvent): Promise<void> => {
    if (event.subscribed) {
      frameworkId = event.subscribed.framework_id.value;
      save();
      await scheduler.call('RECONCILE', { reconcile: {} });
    }
    for (const offer of event.offers?.offers ?? []) {
      const ids = Object.keys(states).length > 0 ? [] : Array.from({ length: TASKS }, (_, at) => `task-${at}`);
      // Stored before the ACCEPT: a framework killed in between reconciles instead of launching again.
      for (const id of ids) states[id] = 'TASK_STAGING';
      save();
      const tasks = ids.map((id) =>
        commandTask(offer, { id, command: commandOf(directory, id), resources: { cpus: 0.1, mem: 32 } }),
      );
      await scheduler.call('ACCEPT', {
        accept: { offer_ids: [offer.id], operations: [launch(tasks)], filters: { refuse_seconds: 3600 } },
      });
    }
    const status = event.update?.status;
    if (status && !isTerminal(states[status.task_id.value] ?? '')) {
      states[status.task_id.value] = status.state;
      save();
    }
  };
  for await (const event of scheduler) {
    await react(event).catch(() => undefined); // a call that was cut off; the next subscription tells
  }
}

function startFramework(cluster: TestCluster): ChildProcess {
  const env = { ...process.env, SURVIVOR_DIRECTORY: cluster.directory, SURVIVOR_MASTER: cluster.master };
  return spawn(process.execPath, [fileURLToPath(import.meta.url)], { env, stdio: ['ignore', 'inherit', 'inherit'] });
}

const counts = (directory: string): Record<string, number> => {
  const result: Record<string, number> = {};
  for (const state of Object.values(readState(directory).states)) result[state] = (result[state] ?? 0) + 1;
  return result;
};

async function survives(cut: (cluster: TestCluster, restart: () => Promise<void>) => Promise<void>): Promise<void> {
  const cluster = await createTestCluster({
    masterFlags: ['--registry=replicated_log', '--agent_ping_timeout=1secs', '--max_agent_ping_timeouts=3'],
  });
  mkdirSync(join(cluster.directory, 'runs'));
  let process: ChildProcess | undefined;
  const end = async (): Promise<void> => {
    const gone = new Promise<void>((resolve) => process?.once('exit', () => resolve()));
    if (process?.kill('SIGKILL')) await gone;
  };
  try {
    await cluster.startMaster();
    await cluster.startAgent();
    process = startFramework(cluster);
    await until('all tasks to run', () => counts(cluster.directory)['TASK_RUNNING'] === TASKS);
    await cut(cluster, async () => {
      await end();
      await pause(500);
      process = startFramework(cluster);
    });
    await until(
      `all tasks to finish, have ${JSON.stringify(counts(cluster.directory))}`,
      () => {
        const states = Object.values(readState(cluster.directory).states);
        return states.length === TASKS && states.every(isTerminal);
      },
      90_000,
    ).catch((error: unknown) =>
      assert.fail(`${String(error)}; at the end ${JSON.stringify(counts(cluster.directory))}`),
    );
    assert.deepEqual(counts(cluster.directory), { TASK_FINISHED: TASKS });
    const runs = readdirSync(join(cluster.directory, 'runs'));
    assert.equal(runs.length, TASKS);
    for (const id of runs) assert.equal(readFileSync(join(cluster.directory, 'runs', id), 'utf8'), 'ran\n', id);
  } finally {
    await end();
    await cluster.stop();
  }
}

if (process.env['SURVIVOR_DIRECTORY'] !== undefined) {
  await framework(process.env['SURVIVOR_DIRECTORY'], process.env['SURVIVOR_MASTER'] as string);
} else {
  test('no task is lost or runs twice when the agent is killed and comes back after its tasks have ended', () =>
    survives(async (cluster) => {
      await cluster.kill('agent');
      await pause(1000 * RUN_SECONDS);
      await cluster.startAgent();
    }));

  test('no task is lost or runs twice when the agent is killed and comes back while its tasks run', () =>
    survives(async (cluster) => {
      await cluster.kill('agent');
      await pause(200);
      await cluster.startAgent();
    }));

  test('no task is lost or runs twice when the master is killed and comes back', () =>
    survives(async (cluster) => {
      await cluster.kill('master');
      await pause(500);
      await cluster.startMaster();
    }));

  test('no task is lost or runs twice when the framework is killed and comes back', () =>
    survives((_, restart) => restart()));
}
