// The agent's core: a synchronous state machine. The same inputs, times and seed give the same effects.
//
// Owns the state (`state.ts`), the order of writes, and the choice of the handler of an input.
// AGENT-1: one input at a time; its effects are carried out after the step, in order for each destination.
// AGENT-2: the changes of a step are one write; the work that depends on them is done when `persisted` answers it, in order.
// AGENT-3: before `start` only pings are answered.
import { assert, type Random } from '@meseta/base';
import { completeBatch, doReadyWork, settleCommits, takeBatch } from '@meseta/base/core/commit-queue';
import { createMachine, type StateMachine } from '@meseta/base/core/machine';
import { earliestTimerAt } from '@meseta/base/core/timers';
import { doAfterCommitWork } from './after-commit.js';
import { causeOf } from './cause.js';
import { handleProbeResult } from './command-executor.js';
import { handleContainerEvent } from './container-events.js';
import type { Context } from './context.js';
import { handleExecutorCall, handleStreamClosed } from './executor-calls.js';
import type { AgentEffect, AgentInput } from './io.js';
import { finishDrain, leaveCluster } from './kill.js';
import { receive } from './messages.js';
import { handleContainerCall, handleContainerCallClosed } from './nested-containers.js';
import type { AgentOptions } from './options.js';
import { preemptRevocable } from './oversubscription.js';
import { start } from './recovery.js';
import { handleMasterDetected, handlePeerLost } from './registration.js';
import { handleDiskRoom, handleDiskUsage, handleSandboxRemoved } from './sandboxes.js';
import { type AgentState, createState } from './state.js';
import { handleDueTimers } from './timers.js';

export type AgentCore = StateMachine<AgentState, AgentInput, AgentEffect>;

/** The machine that continues from this state (MACHINE-1). */
export const resumeAgent = (state: AgentState): AgentCore =>
  createMachine<AgentState, AgentInput, AgentEffect>(state, {
    handle,
    causeOf,
    nextDeadline: ({ timers }) => earliestTimerAt(timers),
    hasWork: () => false,
  });

export const createAgent = (options: AgentOptions, random: Random): AgentCore =>
  resumeAgent(createState(options, random));

function handle(ctx: Context, input: AgentInput): void {
  const { commits } = ctx.state;
  handleInput(ctx, input);
  const doReady = (): void => doReadyWork(commits, ({ work, cause }) => doAfterCommitWork({ ...ctx, cause }, work));
  doReady();
  finishDrain(ctx);
  while (settleCommits(commits)) doReady();
  const changes = takeBatch(commits, Number.POSITIVE_INFINITY);
  if (changes !== undefined) ctx.effects.push({ kind: 'checkpoint', changes });
}

function handleInput(ctx: Context, input: AgentInput): void {
  switch (input.kind) {
    case 'start':
      return start(ctx, input.checkpoint, input.containers);
    case 'persisted':
      assert(completeBatch(ctx.state.commits) !== undefined, 'persisted: no write is outstanding');
      return;
    case 'masterDetected':
      return handleMasterDetected(ctx, input.master);
    case 'message':
      return receive(ctx, input.from, input.message);
    case 'peerLost':
      return handlePeerLost(ctx, input.address);
    case 'containerEvent':
      return handleContainerEvent(ctx, input.event);
    case 'probeResult':
      return handleProbeResult(ctx, input.containerId, input.check, input.result);
    case 'executorCall':
      return handleExecutorCall(ctx, input.connection, input.call, input.claims);
    case 'containerCall':
      return handleContainerCall(ctx, input.connection, input.call);
    case 'containerCallClosed':
      return handleContainerCallClosed(ctx, input.connection, input.id);
    case 'streamClosed':
      return handleStreamClosed(ctx, input.connection);
    case 'diskUsage':
      return handleDiskUsage(ctx, input.usedShare);
    case 'diskRoom':
      return handleDiskRoom(ctx, input.shortage);
    case 'overload':
      return preemptRevocable(ctx, input.cause);
    case 'sandboxRemoved':
      return handleSandboxRemoved(ctx, input.containerId, input.error);
    case 'leave':
      return leaveCluster(ctx, input.message);
    case 'tick':
      return handleDueTimers(ctx);
  }
}
