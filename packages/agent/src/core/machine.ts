// The agent's core: a synchronous state machine. The same inputs, times and seed give the same effects.
//
// Owns the state (`state.ts`), the order of writes, and which handler an input goes to.
// AGENT-1: one input at a time; its effects are carried out after the step, in order for each destination.
// AGENT-2: changes of one step are one write; what depends on it happens when `persisted` answers it, in order.
// AGENT-3: before `start` only pings are answered.
import { assert, type Now, type Pid, type Random } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { containerEvent, maxCompletionReached, probe, probeResult } from './command-executor.js';
import { type AfterWrite, log, type Step, sendToMaster } from './context.js';
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
  const writes: (readonly AfterWrite[])[] = [];

  return {
    state,
    nextDeadline: () => state.deadlines.next(),
    step(input, now) {
      const step: Step = { state, now, effects: [], changes: [], after: [], soon: [] };
      if (input.kind === 'persisted') {
        const done = writes.shift();
        assert(done !== undefined, 'a write was answered that nobody asked for');
        for (const work of done) afterWrite(step, work);
      } else handle(step, input);
      workSoon(step);
      finishDrain(step);
      // Work that waits for no write, because none was needed, may itself lead to one.
      while (step.changes.length === 0 && step.after.length > 0 && writes.length === 0) {
        for (const work of step.after.splice(0)) afterWrite(step, work);
        workSoon(step);
      }
      if (step.changes.length > 0 || step.after.length > 0) {
        step.effects.push({ kind: 'checkpoint', changes: step.changes });
        writes.push(step.after);
      }
      return step.effects;
    },
  };
}

/** Work that waits for no write may lead to more of it. */
function workSoon(step: Step): void {
  for (let work = step.soon.shift(); work !== undefined; work = step.soon.shift()) afterWrite(step, work);
}

function handle(step: Step, input: Exclude<AgentInput, { readonly kind: 'persisted' }>): void {
  switch (input.kind) {
    case 'start':
      start(step, input.checkpoint, input.containers);
      return;
    case 'masterDetected':
      masterDetected(step, input.master);
      return;
    case 'message':
      messageFrom(step, input.from, input.message);
      return;
    case 'peerLost':
      peerLost(step, input.address);
      return;
    case 'containerEvent':
      containerEvent(step, input.event);
      return;
    case 'probeResult':
      probeResult(step, input.containerId, input.check, input.result);
      return;
    case 'executorCall':
      executorCall(step, input.connection, input.call, input.claims);
      return;
    case 'containerCall':
      containerCall(step, input.connection, input.call);
      return;
    case 'streamClosed':
      streamClosed(step, input.connection);
      return;
    case 'diskUsage':
      diskUsage(step, input.usedShare);
      return;
    case 'diskRoom':
      diskRoom(step, input.shortage);
      return;
    case 'sandboxRemoved':
      sandboxRemoved(step, input.containerId, input.error);
      return;
    case 'leave':
      leaveCluster(step, input.message);
      return;
    case 'tick':
      tick(step);
      return;
  }
}

function afterWrite(step: Step, work: AfterWrite): void {
  switch (work.kind) {
    case 'announceRegistered':
      announceRegistered(step);
      return;
    case 'launch':
      launchExecutor(step, work.frameworkId, work.executorId);
      return;
    case 'launchNested':
      step.effects.push({ kind: 'launch', spec: work.spec, volumes: work.volumes });
      return;
    case 'launchPodTask':
      launchPodTask(step, work.frameworkId, work.taskId);
      return;
    case 'deliver':
      pendingDurable(step, work.frameworkId, work.executorId);
      return;
    case 'acknowledgeExecutor':
      acknowledgeExecutor(step, work.containerId, work.taskId, work.uuid);
      return;
    case 'forward':
      forward(step, work.frameworkId, work.taskId);
      return;
    case 'sendOperation':
      operationSaved(step, work.uuid);
      return;
    case 'removeContainer':
      step.effects.push({ kind: 'removeContainer', containerId: work.containerId });
      return;
    case 'exit':
      step.effects.push({ kind: 'exit', status: work.status, message: work.message });
      return;
  }
}

function messageFrom(step: Step, from: Pid, message: LibprocessMessage): void {
  const { state } = step;
  if (message.name === 'PingAgentMessage' && isAtMaster(state, from)) {
    pinged(step, from, message.body.connected);
    return;
  }
  if (state.started && driverMessage(step, from, message)) return;
  if (!state.started || from !== state.registration.master) {
    log(step, 'warning', `ignored ${message.name} of ${from}, which is not the leading master`);
    return;
  }
  switch (message.name) {
    case 'AgentRegisteredMessage':
      registered(step, message.body);
      return;
    case 'AgentReregisteredMessage':
      reregistered(step, message.body);
      return;
    case 'ShutdownMessage':
      log(step, 'warning', `the master shuts this agent down: ${message.body.message ?? 'no reason given'}`);
      forgetId(step);
      leaveCluster(step, `the master shut this agent down: ${message.body.message ?? 'no reason given'}`);
      return;
    default:
      if (state.registration.registered) workFromMaster(step, message);
      else log(step, 'warning', `ignored ${message.name}: this agent is not registered`);
  }
}

function workFromMaster(step: Step, message: LibprocessMessage): void {
  switch (message.name) {
    case 'RunTaskMessage':
      runTask(step, message.body);
      return;
    case 'RunTaskGroupMessage':
      runTaskGroup(step, message.body);
      return;
    case 'KillTaskMessage':
      killTask(step, message.body);
      return;
    case 'ShutdownExecutorMessage':
      shutdownExecutor(step, message.body);
      return;
    case 'ShutdownFrameworkMessage':
      shutdownFramework(step, message.body);
      return;
    case 'StatusUpdateAcknowledgementMessage':
      acknowledge(step, message.body);
      return;
    case 'UpdateFrameworkMessage':
      updateFramework(step, message.body);
      return;
    case 'FrameworkToExecutorMessage':
      messageToExecutor(step, message.body);
      return;
    case 'ApplyOperationMessage':
      applyOperationMessage(step, message.body);
      return;
    case 'AcknowledgeOperationStatusMessage':
      acknowledgeOperation(step, message.body);
      return;
    case 'ReconcileOperationsMessage':
      reconcileOperations(step, message.body);
      return;
    case 'DrainAgentMessage':
      drainAgent(step, message.body.config);
      return;
    default:
      step.state.counters.invalidFrameworkMessages++;
      log(step, 'warning', `ignored ${message.name}: agents don't take it`);
  }
}

function leaveCluster(step: Step, message: string): void {
  const { info } = step.state;
  if (info.id !== undefined) sendToMaster(step, { name: 'UnregisterAgentMessage', body: { agent_id: info.id } });
  // Whoever starts here next is another agent: this one's id is not in the registry any more.
  forgetId(step);
  leave(step, message);
}

function tick(step: Step): void {
  const { deadlines, timers } = step.state;
  for (;;) {
    const key = deadlines.takeDue(step.now.monoMs);
    if (key === undefined) return;
    const timer = timers.get(key);
    timers.delete(key);
    if (timer !== undefined) timerDue(step, timer);
  }
}

function timerDue(step: Step, timer: Timer): void {
  switch (timer.kind) {
    case 'register':
      tryToRegister(step);
      return;
    case 'ping':
      pingsStopped(step);
      return;
    case 'disk':
      watchDisk(step);
      return;
    case 'resend':
      resend(step, timer.frameworkId, timer.taskId);
      return;
    case 'resendOperation':
      sendOperation(step, timer.uuid);
      return;
    case 'framework':
      completeIfIdle(step, timer.frameworkId);
      return;
    case 'executorsBack':
      executorsLate(step);
      return;
    case 'registerExecutor':
      registrationTimedOut(step, timer.containerId);
      return;
    case 'executorHeartbeat':
      executorHeartbeat(step, timer.containerId);
      return;
    case 'kill':
      killDue(step, timer.containerId);
      return;
    case 'maxCompletion':
      maxCompletionReached(step, timer.containerId);
      return;
    case 'health':
    case 'check':
      probe(step, timer.containerId, timer.kind);
      return;
  }
}
