// Work that is too large for one step. A job has a cursor in the state, which advances by a fixed number of items when the
// job begins and at each `continue`. Jobs take turns, so a long one does not delay the others.
//
// JOBS-1: no step handles more than ITEMS_PER_STEP items of a job.
// JOBS-2: a framework is answered no further while its stream has a backlog, so that the memory of a long answer is bounded
//     and its client, which reads, is not cut off.

import { markMissingAgent } from './agents/recovery.js';
import type { Context } from './context.js';
import type { StreamId } from './io.js';
import { reconcileNamedOperations, reconcileOperation } from './operation-reconcile.js';
import { endBacklog, ITEMS_PER_STEP } from './reconciliation-queue.js';
import type { Framework, Job, Reconciliation } from './state.js';
import { reconcileKnownTask, reconcileTask } from './task-reconcile.js';

/** Advances the job that has waited longest. */
export function continueJobs(ctx: Context): void {
  const job = ctx.state.jobs.shift();
  if (job !== undefined) advanceOrHold(ctx, job);
}

/** Advances the newest job. Most jobs are done after that, so their callers do not wait for a `continue`. */
export function beginNewestJob(ctx: Context): void {
  const job = ctx.state.jobs.pop();
  if (job !== undefined) advanceOrHold(ctx, job);
}

/** JOBS-2. */
function advanceOrHold(ctx: Context, job: Job): void {
  const { state } = ctx;
  const connection = job.kind === 'reconcile' ? state.frameworks.get(job.frameworkId)?.connection : undefined;
  const isHeld = connection?.kind === 'stream' && state.streamsWithBacklog.has(connection.id);
  if (isHeld && job.kind === 'reconcile') state.heldJobs.set(job.frameworkId, job);
  else if (!advance(ctx, job)) state.jobs.push(job);
}

/** JOBS-2. */
export function setBacklog({ state }: Context, stream: StreamId, isWaiting: boolean): void {
  const frameworkId = state.frameworkByStream.get(stream);
  if (frameworkId === undefined) return;
  if (isWaiting) state.streamsWithBacklog.add(stream);
  else endBacklog(state, frameworkId, stream);
}

/** Returns whether the job is done. */
function advance(ctx: Context, job: Job): boolean {
  if (job.kind === 'markMissing') {
    for (const id of nextItems(job, job.agentIds)) markMissingAgent(ctx, id);
    return job.next === job.agentIds.length;
  }
  const framework = ctx.state.frameworks.get(job.frameworkId);
  const call = job.calls[0];
  if (framework === undefined || call === undefined) return true;
  answer(ctx, framework, call);
  if (call.next === call.items.length) job.calls.shift();
  return job.calls.length === 0;
}

/** The items for this step; advances the cursor behind them. */
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
      for (const item of nextItems(call, call.items)) reconcileTask(ctx, framework, item);
      return;
    case 'allOperations':
      for (const uuid of nextItems(call, call.items)) reconcileOperation(ctx, framework, uuid);
      return;
    case 'operations':
      return reconcileNamedOperations(ctx, framework, nextItems(call, call.items));
  }
}
