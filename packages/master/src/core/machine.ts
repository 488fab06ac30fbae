// The master's core: a step takes one input and returns an ordered list of effects (docs/architecture.md, "Cores and
// shells").
//
// Boundary: no clock, randomness, timer or promise. The shell and the simulator feed inputs and perform the effects after
// each step, in order. The invariants are in state.ts, registrar.ts and offers.ts.
import { createAllocator } from '@meseta/allocator';
import { createInterner, type Random } from '@meseta/base';
import { doReadyWork } from '@meseta/base/core/commit-queue';
import { createMachine, type StateMachine } from '@meseta/base/core/machine';
import { earliestTimerAt } from '@meseta/base/core/timers';
import { doAfterCommitWork } from './after-commit.js';
import { elected } from './agents/recovery.js';
import { causeOf } from './cause.js';
import { type Context, count, reply } from './context.js';
import { streamClosed } from './frameworks/disconnect.js';
import type { MasterEffect, MasterIdentity, MasterInput } from './io.js';
import { beginNewestJob, continueJobs, setBacklog } from './jobs.js';
import { receive } from './messages.js';
import { allocate } from './offers.js';
import { operatorCall } from './operator/calls.js';
import { killTask } from './operator/kill-task.js';
import type { MasterOptions } from './options.js';
import { peerLost } from './peer-lost.js';
import { flushRegistrar, persisted } from './registrar.js';
import { schedulerCall } from './scheduler-calls.js';
import { createState, type MasterState } from './state.js';
import { handleDueTimers } from './timers.js';

export type MasterCore = StateMachine<MasterState, MasterInput, MasterEffect>;

/**
 * The first input is `elected`. Until the registry names this master, calls get 503 and messages are dropped.
 * `random` is for scheduling; `idRandom` generates ids that must not be guessable (stream ids, operations' uuids).
 * `makeAllocator`: the simulator passes an audited one.
 */
export function createMaster(
  identity: MasterIdentity,
  options: MasterOptions,
  random: Random,
  idRandom: Random,
  makeAllocator = createAllocator,
): MasterCore {
  const environment = { identity, options, idRandom, intern: createInterner() };
  return resumeMaster(createState(environment, random, makeAllocator));
}

/** The machine that continues from this state (MACHINE-1). */
export const resumeMaster = (state: MasterState): MasterCore =>
  createMachine<MasterState, MasterInput, MasterEffect>(state, { handle, causeOf, nextDeadline, hasWork });

function handle(ctx: Context, input: MasterInput): void {
  const { state, effects } = ctx;
  state.nowMonoMs = ctx.now.monoMs;
  const jobs = state.jobs.length;
  if (handleInput(ctx, input)) state.version++;
  if (state.jobs.length > jobs) beginNewestJob(ctx);
  doReadyWork(state.registrar.commits, ({ work, cause }) => doAfterCommitWork({ ...ctx, cause }, work));
  if ((input.kind === 'tick' || input.kind === 'continue') && isAllocationDue(state)) {
    const before = effects.length;
    allocate(ctx);
    if (effects.length > before) state.version++;
  }
  flushRegistrar(ctx);
}

function nextDeadline({ timers, recovered, allocator }: MasterState): number | undefined {
  const timerAt = earliestTimerAt(timers);
  const allocationAt = recovered ? allocator.nextDeadline() : undefined;
  if (timerAt === undefined || allocationAt === undefined) return timerAt ?? allocationAt;
  return Math.min(timerAt, allocationAt);
}

const hasWork = (state: MasterState): boolean => state.jobs.length > 0 || isAllocationDue(state);

function isAllocationDue({ allocator, recovered, nowMonoMs }: MasterState): boolean {
  const at = allocator.nextDeadline();
  return recovered && at !== undefined && at <= nowMonoMs;
}

/** Returns whether what views show may have changed. */
function handleInput(ctx: Context, input: MasterInput): boolean {
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
    case 'streamBacklog':
      setBacklog(ctx, input.stream, input.isWaiting);
      return false;
    case 'peerLost':
      peerLost(ctx, input.address, input.pid);
      return true;
    case 'tick':
      return handleDueTimers(ctx);
    case 'continue':
      if (ctx.state.jobs.length === 0) return false;
      continueJobs(ctx);
      return true;
  }
}
