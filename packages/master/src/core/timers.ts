// What is done when a deadline is due: keys are `kind subject`.
import type { AgentId, FrameworkId, OfferId } from '@meseta/base';
import { reregistrationTimedOut } from './agents/disconnect.js';
import { drainedIfEmpty } from './agents/drain.js';
import { pingTimedOut } from './agents/ping.js';
import { pruneRegistry, unreturned } from './agents/recovery.js';
import { removalsDue } from './agents/unreachable.js';
import type { Context } from './context.js';
import { failoverTimedOut } from './frameworks/disconnect.js';
import { heartbeat } from './frameworks/heartbeat.js';
import { offerTimedOut, returnInverseOffer } from './offers.js';

const TIMERS: Readonly<Record<string, (ctx: Context, subject: string) => void>> = {
  heartbeat: (ctx, id) => heartbeat(ctx, id as FrameworkId),
  failover: (ctx, id) => failoverTimedOut(ctx, id as FrameworkId),
  offer: (ctx, id) => offerTimedOut(ctx, id as OfferId),
  inverseOffer: (ctx, id) => returnInverseOffer(ctx, id as OfferId, 'rescinded'),
  ping: (ctx, id) => pingTimedOut(ctx, id as AgentId),
  reregister: (ctx, id) => reregistrationTimedOut(ctx, id as AgentId),
  drained: (ctx, id) => drainedIfEmpty(ctx, id as AgentId),
  removals: (ctx) => removalsDue(ctx),
  unreturned: (ctx) => unreturned(ctx),
  registryGc: (ctx) => pruneRegistry(ctx),
};

/** Timers that change nothing that views show. */
const isQuietTimer = (key: string): boolean => key.startsWith('heartbeat ') || key.startsWith('ping ');

/** At most this many a step: the rest is due at the next tick, which comes at once. */
const TIMERS_PER_STEP = 1_000;

/** Whether any of them may have changed what views show. */
export function fireTimers(ctx: Context): boolean {
  const { deadlines } = ctx.state;
  let changed = false;
  for (let fired = 0; fired < TIMERS_PER_STEP; fired++) {
    const key = deadlines.takeDue(ctx.now.monoMs);
    if (key === undefined) break;
    const space = key.indexOf(' ');
    TIMERS[space < 0 ? key : key.slice(0, space)]?.(ctx, key.slice(space + 1));
    changed ||= !isQuietTimer(key);
  }
  return changed;
}
