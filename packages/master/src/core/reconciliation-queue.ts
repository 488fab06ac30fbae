// The queue of reconciliations by framework. Jobs (jobs.ts) answer them.
import { LIMITS } from '@meseta/base';
import type { Context } from './context.js';
import type { Framework, Job, Reconciliation } from './state.js';

/** How many items of a job one step handles. */
export const ITEMS_PER_STEP = 256;

type ReconcileJob = Extract<Job, { readonly kind: 'reconcile' }>;

const jobOf = (ctx: Context, framework: Framework): ReconcileJob | undefined =>
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
