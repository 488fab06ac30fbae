// kill -9 of the agent at points of a launch, a kill and an end of tasks, then its restart: no task is lost, runs twice, or
// ends in two ways. Where this is root, the tasks have cgroups and namespaces of their own.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pause, until } from '@meseta/platform/testing/until';
import { commandTask, connectScheduler, isTerminal, launch } from '@meseta/sdk';
import type { Offer, TaskStatus } from '@meseta/wire';
import { createTestCluster, type TestCluster } from './testing.js';

const TASKS = 4;
/** The delays before the kill, from the ACCEPT, the KILL, or TASK_RUNNING on. */
const DELAYS_MS = [0, 3, 8, 15, 25, 40, 70, 120] as const;
const EXIT_STATUS = 7;
const ISOLATION =
  process.getuid?.() === 0
    ? ['--launcher=linux', '--isolation=cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid']
    : ['--launcher=posix'];

interface Followed {
  /** By task, each update once. */
  readonly statuses: Map<string, TaskStatus[]>;
  offer(): Promise<Offer>;
  call: ReturnType<typeof connectScheduler>['call'];
  close(): void;
}

/** A framework that keeps the last offer and remembers every update once. */
function follow(master: string): Followed {
  const capabilities = (['MULTI_ROLE', 'PARTITION_AWARE'] as const).map((type) => ({ type }));
  const framework = { name: 'kills', checkpoint: true, failover_timeout: 600, capabilities };
  const scheduler = connectScheduler({ master, framework });
  const statuses = new Map<string, TaskStatus[]>();
  let offers: Offer[] = [];
  const read = async (): Promise<void> => {
    for await (const event of scheduler) {
      offers.push(...(event.offers?.offers ?? []));
      const rescinded = event.rescind?.offer_id.value;
      offers = offers.filter(({ id }) => id.value !== rescinded);
      const status = event.update?.status;
      if (status === undefined) continue;
      const known = statuses.get(status.task_id.value) ?? [];
      if (!known.some(({ uuid }) => uuid !== undefined && uuid === status.uuid)) known.push(status);
      statuses.set(status.task_id.value, known);
    }
  };
  void read();
  return {
    statuses,
    async offer() {
      await until('an offer', () => offers.length > 0);
      const [first] = offers.splice(0, 1);
      return first as Offer;
    },
    call: scheduler.call,
    close: () => scheduler.close(),
  };
}

const statesOf = ({ statuses }: Followed, id: string): readonly string[] =>
  (statuses.get(id) ?? []).map(({ state }) => state);
const hasState = (framework: Followed, ids: readonly string[], is: (state: string) => boolean): boolean =>
  ids.every((id) => statesOf(framework, id).some(is));

/** How often the task's command has run. */
function runsOf(directory: string, id: string): number {
  try {
    return readFileSync(join(directory, 'runs', id), 'utf8').length;
  } catch {
    return 0;
  }
}

async function startTasks(cluster: TestCluster, framework: Followed, ids: readonly string[], then: string) {
  const offer = await framework.offer();
  const tasks = ids.map((id) =>
    commandTask(offer, {
      id,
      command: `printf x >> ${join(cluster.directory, 'runs', id)}; ${then}`,
      resources: { cpus: 0.1, mem: 32 },
    }),
  );
  await framework.call('ACCEPT', {
    accept: { offer_ids: [offer.id], operations: [launch(tasks)], filters: { refuse_seconds: 0.1 } },
  });
}

async function restartAgent(cluster: TestCluster, delayMs: number): Promise<void> {
  await pause(delayMs);
  await cluster.kill('agent');
  await cluster.startAgent();
}

/** Each task ends in one way, and ran as often as that way says. */
async function checkEnds(
  cluster: TestCluster,
  framework: Followed,
  ids: readonly string[],
  expected: (status: TaskStatus, runs: number) => void,
): Promise<void> {
  await until(
    () => `every task to end, have ${JSON.stringify(ids.map((id) => statesOf(framework, id)))}`,
    () => hasState(framework, ids, isTerminal),
  );
  for (const id of ids) {
    const ends = (framework.statuses.get(id) ?? []).filter(({ state }) => isTerminal(state));
    const [end] = ends;
    assert.ok(end !== undefined && ends.length === 1, `${id}: ${statesOf(framework, id)}`);
    expected(end, runsOf(cluster.directory, id));
  }
}

const idsOf = (phase: string, delayMs: number): readonly string[] =>
  Array.from({ length: TASKS }, (_, index) => `${phase}-${delayMs}-${index}`);

/** A task that was launched ran once and has its exit status; one that was not never ran. */
function exitedOrNeverRan({ task_id, state, message }: TaskStatus, runs: number): void {
  const shown = `${task_id.value}: ${state} ${message}, ran ${runs} times`;
  if (runs === 0) assert.ok(state === 'TASK_DROPPED' || state === 'TASK_LOST' || state === 'TASK_GONE', shown);
  else assert.ok(runs === 1 && state === 'TASK_FAILED' && message?.endsWith(`status ${EXIT_STATUS}`), shown);
}

async function withCluster(run: (cluster: TestCluster, framework: Followed) => Promise<void>): Promise<void> {
  const cluster = await createTestCluster({ agentFlags: ISOLATION });
  mkdirSync(join(cluster.directory, 'runs'));
  const framework = follow(cluster.master);
  try {
    await cluster.startMaster();
    await cluster.startAgent();
    await run(cluster, framework);
  } finally {
    framework.close();
    await cluster.stop();
  }
}

test('kill -9 of the agent during launches: each task runs once and ends with its exit status, or never runs', () =>
  withCluster(async (cluster, framework) => {
    for (const delayMs of DELAYS_MS) {
      const ids = idsOf('launch', delayMs);
      await startTasks(cluster, framework, ids, `exit ${EXIT_STATUS}`);
      await restartAgent(cluster, delayMs);
      await checkEnds(cluster, framework, ids, exitedOrNeverRan);
    }
  }));

test('kill -9 of the agent during kills: each task is killed once', () =>
  withCluster(async (cluster, framework) => {
    for (const delayMs of DELAYS_MS) {
      const ids = idsOf('kill', delayMs);
      await startTasks(cluster, framework, ids, 'exec sleep 1000');
      await until('the tasks to run', () => hasState(framework, ids, (state) => state === 'TASK_RUNNING'));
      for (const value of ids) await framework.call('KILL', { kill: { task_id: { value } } });
      await restartAgent(cluster, delayMs);
      await checkEnds(cluster, framework, ids, ({ task_id, state }, runs) =>
        assert.deepEqual([task_id.value, state, runs], [task_id.value, 'TASK_KILLED', 1]),
      );
    }
  }));

test('kill -9 of the agent around the ends of tasks: each has its exit status', () =>
  withCluster(async (cluster, framework) => {
    for (const delayMs of DELAYS_MS) {
      const ids = idsOf('end', delayMs);
      await startTasks(cluster, framework, ids, `sleep 0.1; exit ${EXIT_STATUS}`);
      await until('a task to run', () => ids.some((id) => statesOf(framework, id).includes('TASK_RUNNING')));
      await restartAgent(cluster, delayMs);
      await checkEnds(cluster, framework, ids, exitedOrNeverRan);
    }
  }));
