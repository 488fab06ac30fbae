// Tasks of type DOCKER through a whole cluster: a framework, a master and an agent whose process is killed meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IMAGE, needsDocker, startDockerEngine } from '@meseta/containers/testing/docker-engine';
import { commandTask, connectScheduler, isTerminal, launch } from '@meseta/sdk';
import type { ContainerInfo, Offer, Parameter, TaskInfo, TaskStatus } from '@meseta/wire';
import { createDaemons } from '../testing/daemons.js';

const docker = (...parameters: readonly Parameter[]): ContainerInfo => ({
  type: 'DOCKER',
  docker: { image: IMAGE, parameters },
});

const taskOf = (offer: Offer, id: string, command: string, changes: Partial<TaskInfo> = {}): TaskInfo => ({
  ...commandTask(offer, { id, command, resources: { cpus: 0.1, mem: 32 } }),
  container: docker(),
  ...changes,
});

const IDS = ['survives', 'killed', 'refused', 'hungry'];

const tasksOf = (offer: Offer): readonly TaskInfo[] => [
  taskOf(offer, 'survives', 'echo one; sleep 6; echo two; exit 3'),
  taskOf(offer, 'killed', 'sleep 1000'),
  taskOf(offer, 'refused', 'true', { container: docker({ key: 'rm', value: 'true' }) }),
  taskOf(offer, 'hungry', 'perl -e \'$x = "a" x 200_000_000; sleep 100\'; exit $?', {
    limits: { mem: { value: 64 } },
    container: docker({ key: 'memory-swap', value: '64m' }),
  }),
];

/** Runs the tasks to their ends. `onRunning` is called once when those that wait are running. */
async function runTasks(
  master: string,
  onRunning: () => Promise<void>,
): Promise<ReadonlyMap<string, readonly TaskStatus[]>> {
  const capabilities = [{ type: 'PARTITION_AWARE' as const }, { type: 'MULTI_ROLE' as const }];
  const framework = { name: 'docker', user: 'root', checkpoint: true, capabilities };
  const scheduler = connectScheduler({ master, framework });
  const statuses = new Map<string, readonly TaskStatus[]>();
  const stateOf = (id: string) => statuses.get(id)?.at(-1)?.state ?? 'TASK_STAGING';
  let isLaunched = false;
  let isReported = false;
  for await (const event of scheduler) {
    for (const offer of event.offers?.offers ?? []) {
      const operations = isLaunched ? [] : [launch(tasksOf(offer))];
      isLaunched = true;
      await scheduler.call('ACCEPT', { accept: { offer_ids: [offer.id], operations } });
    }
    const status = event.update?.status;
    const id = status?.task_id.value ?? '';
    if (status !== undefined) statuses.set(id, [...(statuses.get(id) ?? []), status]);
    if (!isReported && ['survives', 'killed'].every((it) => stateOf(it) === 'TASK_RUNNING')) {
      isReported = true;
      await onRunning();
      await scheduler.call('KILL', { kill: { task_id: { value: 'killed' } } });
    }
    if (IDS.every((it) => isTerminal(stateOf(it)))) break;
  }
  await scheduler.teardown();
  return statuses;
}

test(
  'a DOCKER task is described in TASK_RUNNING, survives a killed agent and ends with its exit code; kills, refusals and limits have their reasons',
  needsDocker,
  async () => {
    const engine = await startDockerEngine();
    const daemons = createDaemons();
    const flags = [
      '--containerizers=docker,mesos',
      `--docker_socket=${engine.socket}`,
      '--resources=cpus:4;mem:2048;disk:1024',
    ];
    try {
      const master = await daemons.master();
      const agent = await daemons.agent(master.address, flags);
      const statuses = await runTasks(master.address, async () => {
        await agent.stop('SIGKILL');
        await daemons.agent(master.address, flags, Number(agent.address.split(':')[1]));
      });
      const running = statuses.get('survives')?.find(({ state }) => state === 'TASK_RUNNING');
      const [described] = JSON.parse(Buffer.from(running?.data ?? '', 'base64').toString()) as { Name: string }[];
      assert.equal(described?.Name, `/mesos-${running?.container_status?.container_id?.value}`);
      const endOf = (id: string) => {
        const { state, reason, message } = statuses.get(id)?.at(-1) ?? {};
        return [state, reason, message?.slice(0, 33)];
      };
      assert.deepEqual(endOf('survives'), ['TASK_FAILED', undefined, 'Container exited with status 3']);
      assert.deepEqual(endOf('killed').slice(0, 1), ['TASK_KILLED']);
      assert.deepEqual(endOf('refused').slice(0, 2), ['TASK_FAILED', 'REASON_CONTAINER_LAUNCH_FAILED']);
      assert.match(statuses.get('refused')?.at(-1)?.message ?? '', /parameters\[0\]: --rm/);
      assert.deepEqual(endOf('hungry').slice(0, 2), ['TASK_FAILED', 'REASON_CONTAINER_LIMITATION_MEMORY']);
    } finally {
      await daemons.stop();
      await engine.stop();
    }
  },
);
