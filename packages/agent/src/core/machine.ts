// The agent's core: a synchronous state machine. The same inputs, times and seed give the same effects.
//
// Owns the state (`state.ts`), the order of writes, and which handler an input goes to.
// AGENT-1: one input at a time; its effects are carried out after the step, in order for each destination.
// AGENT-2: changes of one step are one write; what depends on it happens when `persisted` answers it, in order.
// AGENT-3: before `start` only pings are answered.
import { assert, type Now, type Pid, type Random } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { containerEvent, maxCompletionReached, probe, probeResult } from './command-executor.js';
import { type AfterCommitWork, type Context, log, sendToMaster } from './context.js';
import { executorsLate, pendingDurable, registrationTimedOut } from './custom-executor.js';
import {
  acknowledgeExecutor,
  executorCall,
  executorHeartbeat,
  messageToExecutor,
  streamClosed,
} from './executor-calls.js';
import { driverMessage } from './executor-driver.js';
import { launchExecutor } from './executor-launch.js';
import { completeIfIdle } from './executors.js';
import type { AgentConfig, AgentEffect, AgentInput } from './io.js';
import { drainAgent, finishDrain, killDue, killTask, leave, shutdownExecutor, shutdownFramework } from './kill.js';
import { runTask, runTaskGroup, updateFramework } from './launch.js';
import { containerCall } from './nested-containers.js';
import {
  acknowledgeOperation,
  applyOperationMessage,
  operationSaved,
  reconcileOperations,
  sendOperation,
} from './operations.js';
import { launchPodTask } from './pods.js';
import { start } from './recovery.js';
import {
  announceRegistered,
  forgetId,
  isAtMaster,
  masterDetected,
  peerLost,
  pinged,
  pingsStopped,
  registered,
  reregistered,
  tryToRegister,
} from './registration.js';
import { diskRoom, diskUsage, sandboxRemoved, watchDisk } from './sandboxes.js';
import { type AgentState, createState, type Timer } from './state.js';
import { acknowledge, forward, resend } from './status-updates.js';

export interface AgentCore {
  /** For views: read it, hold its records, never change it. */
  readonly state: AgentState;
  step(input: AgentInput, now: Now): readonly AgentEffect[];
  /** When the next `tick` is due, on the monotonic clock. */
  nextDeadline(): number | undefined;
}

export function createAgent(config: AgentConfig, random: Random): AgentCore {
  const state = createState(config, random);
  /** What waits for each outstanding write, oldest first. */
  const writes: (readonly AfterCommitWork[])[] = [];

  return {
    state,
    nextDeadline: () => state.deadlines.next(),
    step(input, now) {
      const ctx: Context = { state, now, effects: [], changes: [], after: [], soon: [] };
      if (input.kind === 'persisted') {
        const done = writes.shift();
        assert(done !== undefined, 'a write was answered that nobody asked for');
        for (const work of done) doAfterCommitWork(ctx, work);
      } else handle(ctx, input);
      workSoon(ctx);
      finishDrain(ctx);
      // Work that waits for no write, because none was needed, may itself lead to one.
      while (ctx.changes.length === 0 && ctx.after.length > 0 && writes.length === 0) {
        for (const work of ctx.after.splice(0)) doAfterCommitWork(ctx, work);
        workSoon(ctx);
      }
      if (ctx.changes.length > 0 || ctx.after.length > 0) {
        ctx.effects.push({ kind: 'checkpoint', changes: ctx.changes });
        writes.push(ctx.after);
      }
      return ctx.effects;
    },
  };
}

/** Work that waits for no write may lead to more of it. */
function workSoon(ctx: Context): void {
  for (let work = ctx.soon.shift(); work !== undefined; work = ctx.soon.shift()) doAfterCommitWork(ctx, work);
}

function handle(ctx: Context, input: Exclude<AgentInput, { readonly kind: 'persisted' }>): void {
  switch (input.kind) {
    case 'start':
      start(ctx, input.checkpoint, input.containers);
      return;
    case 'masterDetected':
      masterDetected(ctx, input.master);
      return;
    case 'message':
      messageFrom(ctx, input.from, input.message);
      return;
    case 'peerLost':
      peerLost(ctx, input.address);
      return;
    case 'containerEvent':
      containerEvent(ctx, input.event);
      return;
    case 'probeResult':
      probeResult(ctx, input.containerId, input.check, input.result);
      return;
    case 'executorCall':
      executorCall(ctx, input.connection, input.call, input.claims);
      return;
    case 'containerCall':
      containerCall(ctx, input.connection, input.call);
      return;
    case 'streamClosed':
      streamClosed(ctx, input.connection);
      return;
    case 'diskUsage':
      diskUsage(ctx, input.usedShare);
      return;
    case 'diskRoom':
      diskRoom(ctx, input.shortage);
      return;
    case 'sandboxRemoved':
      sandboxRemoved(ctx, input.containerId, input.error);
      return;
    case 'leave':
      leaveCluster(ctx, input.message);
      return;
    case 'tick':
      tick(ctx);
      return;
  }
}

function doAfterCommitWork(ctx: Context, work: AfterCommitWork): void {
  switch (work.kind) {
    case 'announceRegistered':
      announceRegistered(ctx);
      return;
    case 'launch':
      launchExecutor(ctx, work.frameworkId, work.executorId);
      return;
    case 'launchNested':
      ctx.effects.push({ kind: 'launch', spec: work.spec, volumes: work.volumes });
      return;
    case 'launchPodTask':
      launchPodTask(ctx, work.frameworkId, work.taskId);
      return;
    case 'deliver':
      pendingDurable(ctx, work.frameworkId, work.executorId);
      return;
    case 'acknowledgeExecutor':
      acknowledgeExecutor(ctx, work.containerId, work.taskId, work.uuid);
      return;
    case 'forward':
      forward(ctx, work.frameworkId, work.taskId);
      return;
    case 'sendOperation':
      operationSaved(ctx, work.uuid);
      return;
    case 'removeContainer':
      ctx.effects.push({ kind: 'removeContainer', containerId: work.containerId });
      return;
    case 'exit':
      ctx.effects.push({ kind: 'exit', status: work.status, message: work.message });
      return;
  }
}

function messageFrom(ctx: Context, from: Pid, message: LibprocessMessage): void {
  const { state } = ctx;
  if (message.name === 'PingAgentMessage' && isAtMaster(state, from)) {
    pinged(ctx, from, message.body.connected);
    return;
  }
  if (state.started && driverMessage(ctx, from, message)) return;
  if (!state.started || from !== state.registration.master) {
    log(ctx, 'warning', `ignored ${message.name} of ${from}, which is not the leading master`);
    return;
  }
  switch (message.name) {
    case 'AgentRegisteredMessage':
      registered(ctx, message.body);
      return;
    case 'AgentReregisteredMessage':
      reregistered(ctx, message.body);
      return;
    case 'ShutdownMessage':
      log(ctx, 'warning', `the master shuts this agent down: ${message.body.message ?? 'no reason given'}`);
      forgetId(ctx);
      leaveCluster(ctx, `the master shut this agent down: ${message.body.message ?? 'no reason given'}`);
      return;
    default:
      if (state.registration.registered) workFromMaster(ctx, message);
      else log(ctx, 'warning', `ignored ${message.name}: this agent is not registered`);
  }
}

function workFromMaster(ctx: Context, message: LibprocessMessage): void {
  switch (message.name) {
    case 'RunTaskMessage':
      runTask(ctx, message.body);
      return;
    case 'RunTaskGroupMessage':
      runTaskGroup(ctx, message.body);
      return;
    case 'KillTaskMessage':
      killTask(ctx, message.body);
      return;
    case 'ShutdownExecutorMessage':
      shutdownExecutor(ctx, message.body);
      return;
    case 'ShutdownFrameworkMessage':
      shutdownFramework(ctx, message.body);
      return;
    case 'StatusUpdateAcknowledgementMessage':
      acknowledge(ctx, message.body);
      return;
    case 'UpdateFrameworkMessage':
      updateFramework(ctx, message.body);
      return;
    case 'FrameworkToExecutorMessage':
      messageToExecutor(ctx, message.body);
      return;
    case 'ApplyOperationMessage':
      applyOperationMessage(ctx, message.body);
      return;
    case 'AcknowledgeOperationStatusMessage':
      acknowledgeOperation(ctx, message.body);
      return;
    case 'ReconcileOperationsMessage':
      reconcileOperations(ctx, message.body);
      return;
    case 'DrainAgentMessage':
      drainAgent(ctx, message.body.config);
      return;
    default:
      ctx.state.counters.invalidFrameworkMessages++;
      log(ctx, 'warning', `ignored ${message.name}: agents don't take it`);
  }
}

function leaveCluster(ctx: Context, message: string): void {
  const { info } = ctx.state;
  if (info.id !== undefined) sendToMaster(ctx, { name: 'UnregisterAgentMessage', body: { agent_id: info.id } });
  // Whoever starts here next is another agent: this one's id is not in the registry any more.
  forgetId(ctx);
  leave(ctx, message);
}

function tick(ctx: Context): void {
  const { deadlines, timers } = ctx.state;
  for (;;) {
    const key = deadlines.takeDue(ctx.now.monoMs);
    if (key === undefined) return;
    const timer = timers.get(key);
    timers.delete(key);
    if (timer !== undefined) timerDue(ctx, timer);
  }
}

function timerDue(ctx: Context, timer: Timer): void {
  switch (timer.kind) {
    case 'register':
      tryToRegister(ctx);
      return;
    case 'ping':
      pingsStopped(ctx);
      return;
    case 'disk':
      watchDisk(ctx);
      return;
    case 'resend':
      resend(ctx, timer.frameworkId, timer.taskId);
      return;
    case 'resendOperation':
      sendOperation(ctx, timer.uuid);
      return;
    case 'framework':
      completeIfIdle(ctx, timer.frameworkId);
      return;
    case 'executorsBack':
      executorsLate(ctx);
      return;
    case 'registerExecutor':
      registrationTimedOut(ctx, timer.containerId);
      return;
    case 'executorHeartbeat':
      executorHeartbeat(ctx, timer.containerId);
      return;
    case 'kill':
      killDue(ctx, timer.containerId);
      return;
    case 'maxCompletion':
      maxCompletionReached(ctx, timer.containerId);
      return;
    case 'health':
    case 'check':
      probe(ctx, timer.containerId, timer.kind);
      return;
  }
}
