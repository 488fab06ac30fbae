// The queue of reconciliations by framework. Jobs (jobs.ts) answer them.
import { type FrameworkId, LIMITS } from '@meseta/base';
import type { Context } from './context.js';
import type { StreamId } from './io.js';
import type { Framework, MasterState, ReconcileJob, Reconciliation } from './state.js';

/** How many items of a job one step handles. */
export const ITEMS_PER_STEP = 256;

const jobOf = (ctx: Context, framework: Framework): ReconcileJob | undefined =>
  ctx.state.heldJobs.get(framework.id) ??
  ctx.state.jobs.find((job): job is ReconcileJob => job.kind === 'reconcile' && job.frameworkId === framework.id);

/** Adds a reconciliation after those of the framework's earlier calls. */
export function enqueueReconciliation(ctx: Context, framework: Framework, call: Reconciliation): void {
  if (call.items.length === 0) return;
  const job = jobOf(ctx, framework);
  if (job === undefined) ctx.state.jobs.push({ kind: 'reconcile', frameworkId: framework.id, calls: [call] });
  else job.calls.push(call);
}

/** Limits the memory of a framework that reconciles faster than it is answered. */
export function hasTooManyReconciliations(ctx: Context, framework: Framework): boolean {
  let waiting = 0;
  for (const { items, next } of jobOf(ctx, framework)?.calls ?? []) {
    waiting += Math.max(ITEMS_PER_STEP, items.length - next);
  }
  return waiting > LIMITS.waitingReconciliations.most;
}

/** JOBS-2: the stream's client has read, or it is no longer the framework's stream. */
export function endBacklog(state: MasterState, frameworkId: FrameworkId, stream: StreamId): void {
  state.streamsWithBacklog.delete(stream);
  const job = state.heldJobs.get(frameworkId);
  if (job === undefined) return;
  state.heldJobs.delete(frameworkId);
  state.jobs.push(job);
}
