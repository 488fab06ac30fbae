// Launches tasks of a framework's own executors and of pods, sends messages to executors, and reconciles.

import type { ExecutorInfo, Offer, OfferOperation } from '@meseta/wire';
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { isAlive, type TaskView } from '../nodes/framework-memory.js';
import type { SchedulerClient } from '../nodes/scheduler.js';
import { type Activity, type FrameworkPlan, scalar } from './framework-plan.js';
import { roomIn, take, tasksIn } from './tasks.js';

/** The resources of an executor without its tasks. */
const EXECUTOR = { cpus: 0.1, mem: 32, disk: 8 } as const;

/** Ids of a framework's executors on one agent: a new one starts under the id of one that has ended. */
const EXECUTOR_IDS = ['e0', 'e1', 'e2'] as const;

export interface Launcher {
  /** LAUNCHes or LAUNCH_GROUPs of at most so many tasks. */
  operationsFor(client: SchedulerClient, offer: Offer, wanted: number): readonly OfferOperation[];
}

export function createLauncher(plan: FrameworkPlan): Launcher {
  /** An executor's description never changes: the master compares it with the one that runs. */
  const infos = new Map<string, ExecutorInfo>();
  const infoOf = (client: SchedulerClient, agentId: string, id: string): ExecutorInfo => {
    const key = `${agentId} ${id}`;
    const info = infos.get(key) ?? executorInfo(client, plan, `${client.name.split('.')[0]}-${id}`);
    infos.set(key, info);
    return info;
  };

  return {
    operationsFor(client, offer, wanted) {
      const room = roomIn(offer);
      const operations: OfferOperation[] = [];
      const begun = new Set((offer.executor_ids ?? []).map(({ value }) => value));
      for (let left = wanted; left > 0; ) {
        const executor = infoOf(client, offer.agent_id.value, pick(client.random, EXECUTOR_IDS));
        const needs = begun.has(executor.executor_id.value) ? {} : EXECUTOR;
        if (!take(room, needs)) break;
        const count = wholeBetween(client.random, 1, Math.min(left, 3));
        const tasks = tasksIn(room, client, plan, offer, count);
        if (tasks.length === 0) break;
        begun.add(executor.executor_id.value);
        left -= tasks.length;
        operations.push(
          plan.launches === 'pods'
            ? { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks } } }
            : { type: 'LAUNCH', launch: { task_infos: tasks.map((task) => ({ ...task, executor })) } },
        );
      }
      return operations;
    },
  };
}

function executorInfo(client: SchedulerClient, plan: FrameworkPlan, id: string): ExecutorInfo {
  const resources = (['cpus', 'mem', 'disk'] as const).map((name) => scalar(name, EXECUTOR[name], plan.role));
  const framework_id = { value: client.memory.frameworkId ?? '' };
  const common = { executor_id: { value: id }, framework_id, resources };
  if (plan.launches === 'pods') return { type: 'DEFAULT', ...common };
  const behaviour = plan.updatesPerTask === undefined ? behaviourOf(client) : 'executor flaky';
  return { type: 'CUSTOM', ...common, command: { value: behaviour } };
}

/** What an executor does; see nodes/executor.ts. */
function behaviourOf({ random }: SchedulerClient): string {
  const words = ['executor'];
  if (happens(random, 0.15)) words.push('dies', String(wholeBetween(random, 100, 60_000)));
  if (happens(random, 0.1)) words.push('hangs', String(wholeBetween(random, 100, 60_000)));
  if (happens(random, 0.15)) words.push('deaf');
  if (happens(random, 0.15)) words.push('stubborn');
  if (happens(random, 0.04)) words.push('mute');
  if (happens(random, 0.4)) words.push('flaky');
  if (happens(random, 0.2)) words.push('stays');
  return words.join(' ');
}

const withExecutor = (client: SchedulerClient): readonly TaskView[] =>
  [...client.memory.tasks.values()].filter((task) => task.executorId !== undefined && isAlive(task));

/** Sends messages to executors, which answer each, and sometimes shuts one down. */
export function startMessaging(client: SchedulerClient, activity: Activity): void {
  let next = 0;
  client.every(7_000, () => {
    const tasks = withExecutor(client);
    if (activity.isQuiesced || tasks.length === 0) return;
    const { agentId, executorId = '' } = pick(client.random, tasks);
    const to = { agent_id: { value: agentId }, executor_id: { value: executorId } };
    if (happens(client.random, 0.15)) client.call({ type: 'SHUTDOWN', shutdown: to });
    else client.call({ type: 'MESSAGE', message: { ...to, data: btoa(`${client.name} ${next++}`) } });
  });
}

/** Reconciles some tasks explicitly, including ended ones, or all implicitly. */
export function startReconciling(client: SchedulerClient, activity: Activity): void {
  client.every(13_000, () => {
    if (activity.isQuiesced || !client.connected) return;
    const chosen = [...client.memory.tasks.values()].filter(() => happens(client.random, 0.3));
    const tasks = chosen.map(({ id, agentId }) => ({
      task_id: { value: id },
      ...(happens(client.random, 0.8) ? { agent_id: { value: agentId } } : {}),
    }));
    client.call({ type: 'RECONCILE', reconcile: happens(client.random, 0.7) && tasks.length > 0 ? { tasks } : {} });
  });
}
