// Work too large for one step: a cursor in the state, moved by a fixed count of items when it has begun and then at
// each `continue`.
import type { AgentId, TaskId } from '@meseta/base';
import { unreturnedAgent } from './agents/recovery.js';
import type { Context } from './context.js';
import { reconcileKnown } from './reconcile.js';

const ITEMS_PER_STEP = 256;

/** Moves the oldest job. */
export function continueJobs(ctx: Context): void {
  const job = ctx.state.jobs[0];
  if (job === undefined) return;
  switch (job.kind) {
    case 'reconcile': {
      const end = Math.min(job.taskIds.length, job.next + ITEMS_PER_STEP);
      while (job.next < end) reconcileKnown(ctx, job.frameworkId, job.taskIds[job.next++] as TaskId);
      if (job.next === job.taskIds.length) ctx.state.jobs.shift();
      break;
    }
    case 'markUnreturned': {
      const end = Math.min(job.agentIds.length, job.next + ITEMS_PER_STEP);
      while (job.next < end) unreturnedAgent(ctx, job.agentIds[job.next++] as AgentId);
      if (job.next === job.agentIds.length) ctx.state.jobs.shift();
      break;
    }
  }
}
