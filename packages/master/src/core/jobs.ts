// Work too large for one step: a cursor in the state, moved by a fixed count of items when it has begun and then at
// each `continue`. Jobs take turns, so that a long one holds up no other.
//
// JOBS-1: no step handles more than ITEMS_PER_STEP items of a job.
import { unreturnedAgent } from './agents/recovery.js';
import type { Context } from './context.js';
import { reconcileNamedOperations, reconcileOperation } from './operation-reconcile.js';
import { ITEMS_PER_STEP } from './reconciliation-queue.js';
import type { Framework, Job, Reconciliation } from './state.js';
import { reconcileKnownTask, reconcileTask } from './task-reconcile.js';

/** Moves the job that has waited longest. */
export function continueJobs(ctx: Context): void {
  const job = ctx.state.jobs.shift();
  if (job !== undefined && !advance(ctx, job)) ctx.state.jobs.push(job);
}

/** Moves the job that was added last: most are done with that, and their asker need not wait for a `continue`. */
export function beginNewestJob(ctx: Context): void {
  const job = ctx.state.jobs.pop();
  if (job !== undefined && !advance(ctx, job)) ctx.state.jobs.push(job);
}

/** True when the job is done. */
function advance(ctx: Context, job: Job): boolean {
  if (job.kind === 'markUnreturned') {
    for (const id of nextItems(job, job.agentIds)) unreturnedAgent(ctx, id);
    return job.next === job.agentIds.length;
  }
  const framework = ctx.state.frameworks.get(job.frameworkId);
  const call = job.calls[0];
  if (framework === undefined || call === undefined) return true;
  answer(ctx, framework, call);
  if (call.next === call.items.length) job.calls.shift();
  return job.calls.length === 0;
}

/** The items of this step, which count as done. */
function nextItems<Item>(cursor: { next: number }, items: readonly Item[]): readonly Item[] {
  const taken = items.slice(cursor.next, cursor.next + ITEMS_PER_STEP);
  cursor.next += taken.length;
  return taken;
}

function answer(ctx: Context, framework: Framework, call: Reconciliation): void {
  switch (call.kind) {
    case 'allTasks':
      for (const id of nextItems(call, call.items)) reconcileKnownTask(ctx, framework, id);
      return;
    case 'tasks':
      for (const asked of nextItems(call, call.items)) reconcileTask(ctx, framework, asked);
      return;
    case 'allOperations':
      for (const uuid of nextItems(call, call.items)) reconcileOperation(ctx, framework, uuid);
      return;
    case 'operations':
      return reconcileNamedOperations(ctx, framework, nextItems(call, call.items));
  }
}
