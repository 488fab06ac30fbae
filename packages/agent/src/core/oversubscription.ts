// Oversubscription: revocable resources beside the agent's own, and the end of what uses them when the host is overloaded.
// Mesos: docs/oversubscription.md.
//
// OVERSUBSCRIPTION-1: the master is told the sum of what can be added and of the revocable resources in use, so that a
//     smaller estimate takes nothing from those who use it. It is told after each registration, and when the sum changes.
// OVERSUBSCRIPTION-2: a preemption ends the executors with revocable resources, and no others.
import { type ExecutorId, isDeepEqual } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { isRevocable, merge, subtract, unallocate } from '@meseta/resources';
import { isTerminal } from '@meseta/wire/task-states';
import { allocatedOf } from './allocated.js';
import { type Context, log, sendToMaster } from './context.js';
import { destroyExecutor } from './custom-executor.js';
import type { ExecutorRecord } from './io.js';
import { killRun } from './run-end.js';
import { taskRunsOf } from './runs.js';
import { type FrameworkRecord, tasksOf } from './state.js';

/** Estimates again, now and at each interval; tells the master of a change. */
export function estimateOversubscribed(ctx: Context): void {
  const { state } = ctx;
  const { oversubscription } = state.options;
  if (oversubscription === undefined) return;
  setTimer(ctx, { kind: 'oversubscription' }, oversubscription.intervalMs);
  const inUse = unallocate(allocatedOf(state)).filter(isRevocable);
  const oversubscribed = merge([...subtract(oversubscription.resources, inUse), ...inUse]);
  if (isDeepEqual(state.oversubscribed, oversubscribed)) return;
  state.oversubscribed = oversubscribed;
  const { id } = state.info;
  if (id === undefined || !state.registration.registered) return;
  sendToMaster(ctx, {
    name: 'UpdateAgentMessage',
    body: { agent_id: id, update_oversubscribed_resources: true, oversubscribed_resources: oversubscribed },
  });
}

/** OVERSUBSCRIPTION-2. `cause`: what shows that the host is overloaded. */
export function preemptRevocable(ctx: Context, cause: string): void {
  for (const framework of [...ctx.state.frameworks.values()]) {
    for (const executor of [...framework.executors.values()]) {
      if (executor.state === 'ended' || executor.kill?.why === 'preempted') continue;
      if (usesRevocable(framework, executor)) preempt(ctx, framework, executor, cause);
    }
  }
}

function usesRevocable(framework: FrameworkRecord, { info }: ExecutorRecord): boolean {
  if (info.resources?.some(isRevocable) === true) return true;
  for (const { task } of tasksOf(framework, info.executor_id.value as ExecutorId)) {
    if (!isTerminal(task.state) && task.resources?.some(isRevocable) === true) return true;
  }
  return false;
}

function preempt(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord, cause: string): void {
  log(ctx, 'info', `preempting executor ${executor.info.executor_id.value} of framework ${framework.id}: ${cause}`);
  ctx.state.counters.executorsPreempted++;
  if (executor.kind === 'custom') destroyExecutor(ctx, framework, executor, 'preempted');
  else for (const run of taskRunsOf(framework, executor)) killRun(ctx, framework, run, 'preempted', 0);
}
