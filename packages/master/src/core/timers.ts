// Handles the master's timers.
import { takeDueTimer } from '@meseta/base/core/timers';
import { reregistrationTimedOut } from './agents/disconnect.js';
import { completeDrainIfEmpty } from './agents/drain.js';
import { pingTimedOut } from './agents/ping.js';
import { markMissingAgents, pruneRegistry } from './agents/recovery.js';
import { markDueAgentsUnreachable } from './agents/unreachable.js';
import type { Context } from './context.js';
import { failoverTimedOut } from './frameworks/disconnect.js';
import { heartbeatDue } from './frameworks/heartbeat.js';
import { offerTimedOut, returnInverseOffer } from './offers.js';
import type { Timer } from './state.js';

/** How many due timers one step handles; the next tick, which follows at once, handles the others. */
const TIMERS_PER_STEP = 1_000;

/** Handles the timers that are due. Returns whether one of them may have changed what views show. */
export function handleDueTimers(ctx: Context): boolean {
  let changed = false;
  for (let handled = 0; handled < TIMERS_PER_STEP; handled++) {
    const timer = takeDueTimer(ctx);
    if (timer === undefined) break;
    handleTimer(ctx, timer);
    changed ||= timer.kind !== 'heartbeat' && timer.kind !== 'ping';
  }
  return changed;
}

function handleTimer(ctx: Context, timer: Timer): void {
  switch (timer.kind) {
    case 'heartbeat':
      return heartbeatDue(ctx, timer.frameworkId);
    case 'failover':
      return failoverTimedOut(ctx, timer.frameworkId);
    case 'offer':
      return offerTimedOut(ctx, timer.offerId);
    case 'inverseOffer':
      return returnInverseOffer(ctx, timer.offerId, 'rescinded');
    case 'ping':
      return pingTimedOut(ctx, timer.agentId);
    case 'reregister':
      return reregistrationTimedOut(ctx, timer.agentId);
    case 'drained':
      return completeDrainIfEmpty(ctx, timer.agentId);
    case 'removals':
      return markDueAgentsUnreachable(ctx);
    case 'missingAgents':
      return markMissingAgents(ctx);
    case 'registryGc':
      return pruneRegistry(ctx);
  }
}
