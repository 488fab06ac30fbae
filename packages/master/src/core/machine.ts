// The master's core: one input in, an ordered list of effects out. docs/architecture.md, "Cores and shells".
//
// Boundary: no clock, randomness, timer or promise of its own; the shell and the simulator feed inputs and carry out
// the effects after each step, in order. The invariants stand where the state does: state.ts, registrar.ts, offers.ts.
import { createAllocator } from '@meseta/allocator';
import { createInterner, type Now, type Random } from '@meseta/base';
import { createTimers, earliestTimerAt } from '@meseta/base/core/timers';
import { doReadyWork } from './after-commit.js';
import { elected } from './agents/recovery.js';
import { type Context, count, reply } from './context.js';
import { streamClosed } from './frameworks/disconnect.js';
import { createHistory } from './history.js';
import type { MasterEffect, MasterIdentity, MasterInput } from './io.js';
import { beginNewestJob, continueJobs } from './jobs.js';
import { receive } from './messages.js';
import { allocate } from './offers.js';
import { operatorCall } from './operator/calls.js';
import { killTask } from './operator/kill-task.js';
import type { MasterOptions } from './options.js';
import { peerLost } from './peer-lost.js';
import { createRegistrar, flushRegistrar, persisted } from './registrar.js';
import { schedulerCall } from './scheduler-calls.js';
import type { MasterState } from './state.js';
import { handleDueTimers } from './timers.js';

export interface Master {
  /** For views: read only. */
  readonly state: MasterState;
  step(input: MasterInput, now: Now): readonly MasterEffect[];
  /** The monotonic time at which to feed a `tick`; undefined when nothing is due. */
  nextDeadline(): number | undefined;
  /** Feed `continue` once no peer's message waits. */
  hasWork(): boolean;
}

/**
 * Feed `elected` before anything else; until the registry names this master, calls get 503 and messages are dropped.
 * `random` serves scheduling; `idRandom` makes the ids that nobody else may guess (stream ids, operations' uuids).
 * `makeAllocator`: the simulator's is audited.
 */
export function createMaster(
  identity: MasterIdentity,
  options: MasterOptions,
  random: Random,
  idRandom: Random,
  makeAllocator = createAllocator,
): Master {
  const state = createState(identity, options, random, idRandom, makeAllocator);
  let monoMs = 0;
  const allocationDue = (): boolean => {
    const at = state.allocator.nextDeadline();
    return state.recovered && at !== undefined && at <= monoMs;
  };
  return {
    state,
    step(input, now) {
      monoMs = now.monoMs;
      const ctx: Context = { state, now, effects: [] };
      const jobs = state.jobs.length;
      if (take(ctx, input)) state.version++;
      if (state.jobs.length > jobs) beginNewestJob(ctx);
      doReadyWork(ctx);
      if ((input.kind === 'tick' || input.kind === 'continue') && allocationDue()) {
        const before = ctx.effects.length;
        allocate(ctx);
        if (ctx.effects.length > before) state.version++;
      }
      flushRegistrar(ctx);
      return ctx.effects;
    },
    nextDeadline() {
      const own = earliestTimerAt(state.timers);
      const allocator = state.recovered ? state.allocator.nextDeadline() : undefined;
      if (own === undefined || allocator === undefined) return own ?? allocator;
      return Math.min(own, allocator);
    },
    hasWork: () => state.jobs.length > 0 || allocationDue(),
  };
}

function createState(
  identity: MasterIdentity,
  options: MasterOptions,
  random: Random,
  idRandom: Random,
  makeAllocator: typeof createAllocator,
): MasterState {
  return {
    identity,
    options,
    random,
    idRandom,
    intern: createInterner(),
    allocator: makeAllocator({ domain: identity.info.domain, ...options.allocator }, random),
    agents: {
      registered: new Map(),
      recovered: new Map(),
      unreachable: new Map(),
      gone: new Map(),
      removed: createHistory(100_000),
      byPid: new Map(),
      capabilitySets: new Map(),
      registering: new Map(),
      reregistering: new Map(),
      reregisteringByPid: new Map(),
      transitions: new Map(),
      unansweredPings: new Map(),
    },
    frameworks: new Map(),
    completedFrameworks: new Map(),
    frameworkByStream: new Map(),
    frameworkByPid: new Map(),
    offers: new Map(),
    inverseOffers: new Map(),
    operations: new Map(),
    registrar: createRegistrar(),
    jobs: [],
    timers: createTimers(),
    counters: new Map(),
    taskCounts: new Map(),
    links: new Map(),
    removals: { nextAtMonoMs: 0, waiting: new Map() },
    recovered: false,
    electedAtMs: undefined,
    version: 0,
    nextFramework: 0,
    nextAgent: 0,
    nextOffer: 0,
    nextObserver: 1,
  };
}

/** Whether what views show may have changed. */
function take(ctx: Context, input: MasterInput): boolean {
  switch (input.kind) {
    case 'elected':
      elected(ctx, input.registry);
      return true;
    case 'persisted':
      persisted(ctx);
      return true;
    case 'message':
      if (!ctx.state.recovered) count(ctx, 'master/dropped_messages');
      else receive(ctx, input.from, input.message, input.principal);
      return input.message.name !== 'PongAgentMessage';
    case 'schedulerCall':
    case 'operatorCall':
    case 'killTask':
      if (!ctx.state.recovered) reply(ctx, input.request, 503, 'the master is reading its registry');
      else if (input.kind === 'schedulerCall') schedulerCall(ctx, input);
      else if (input.kind === 'killTask') killTask(ctx, input);
      else operatorCall(ctx, input.request, input.principal, input.call);
      return true;
    case 'streamClosed':
      streamClosed(ctx, input.stream);
      return true;
    case 'peerLost':
      peerLost(ctx, input.address);
      return true;
    case 'tick':
      return handleDueTimers(ctx);
    case 'continue':
      if (ctx.state.jobs.length === 0) return false;
      continueJobs(ctx);
      return true;
  }
}
