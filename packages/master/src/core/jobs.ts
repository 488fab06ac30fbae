// Work too large for one step: a cursor in the state, moved by a fixed count of items at each `continue`.
import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import { unreturnedAgent } from './agents/recovery.js';
import type { Context } from './context.js';
import { reconcileKnown } from './reconcile.js';

export type Job =
  | { readonly kind: 'reconcile'; readonly frameworkId: FrameworkId; readonly taskIds: readonly TaskId[]; next: number }
  /** Agents that an earlier master admitted and that have not come back. */
  | { readonly kind: 'markUnreturned'; readonly agentIds: readonly AgentId[]; next: number };

const ITEMS_PER_STEP = 256;

export function addJob(ctx: Context, job: Job): void {
  ctx.state.jobs.push(job);
  continueJobs(ctx, ITEMS_PER_STEP);
}

/** Moves the oldest job. */
export function continueJobs(ctx: Context, items = ITEMS_PER_STEP): void {
  const job = ctx.state.jobs[0];
  if (job === undefined) return;
  switch (job.kind) {
    case 'reconcile': {
      const end = Math.min(job.taskIds.length, job.next + items);
      while (job.next < end) reconcileKnown(ctx, job.frameworkId, job.taskIds[job.next++] as TaskId);
      if (job.next === job.taskIds.length) ctx.state.jobs.shift();
      break;
    }
    case 'markUnreturned': {
      const end = Math.min(job.agentIds.length, job.next + items);
      while (job.next < end) unreturnedAgent(ctx, job.agentIds[job.next++] as AgentId);
      if (job.next === job.agentIds.length) ctx.state.jobs.shift();
      break;
    }
  }
}
