// Libprocess messages: of masters and of executors' drivers.
import type { Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type Context, log } from './context.js';
import { messageToExecutor } from './executor-calls.js';
import { driverMessage } from './executor-driver.js';
import { drainAgent, killTask, leaveCluster, shutdownExecutor, shutdownFramework } from './kill.js';
import { runTask, runTaskGroup, updateFramework } from './launch.js';
import { acknowledgeOperation, applyOperationMessage, reconcileOperations } from './operations.js';
import { forgetId, isAtMaster, pinged, registered, reregistered } from './registration.js';
import { acknowledge } from './status-updates.js';

export function receive(ctx: Context, from: Pid, message: LibprocessMessage): void {
  const { state } = ctx;
  if (message.name === 'PingAgentMessage' && isAtMaster(state, from)) {
    return pinged(ctx, from, message.body.connected);
  }
  if (state.started && driverMessage(ctx, from, message)) return;
  if (!state.started || from !== state.registration.master) {
    return log(ctx, 'warning', `ignored ${message.name} of ${from}, which is not the leading master`);
  }
  switch (message.name) {
    case 'AgentRegisteredMessage':
      return registered(ctx, message.body);
    case 'AgentReregisteredMessage':
      return reregistered(ctx, message.body);
    case 'ShutdownMessage':
      log(ctx, 'warning', `the master shuts this agent down: ${message.body.message ?? 'no reason given'}`);
      forgetId(ctx);
      return leaveCluster(ctx, `the master shut this agent down: ${message.body.message ?? 'no reason given'}`);
    default:
      if (state.registration.registered) workFromMaster(ctx, message);
      else log(ctx, 'warning', `ignored ${message.name}: this agent is not registered`);
  }
}

function workFromMaster(ctx: Context, message: LibprocessMessage): void {
  switch (message.name) {
    case 'RunTaskMessage':
      return runTask(ctx, message.body);
    case 'RunTaskGroupMessage':
      return runTaskGroup(ctx, message.body);
    case 'KillTaskMessage':
      return killTask(ctx, message.body);
    case 'ShutdownExecutorMessage':
      return shutdownExecutor(ctx, message.body);
    case 'ShutdownFrameworkMessage':
      return shutdownFramework(ctx, message.body);
    case 'StatusUpdateAcknowledgementMessage':
      return acknowledge(ctx, message.body);
    case 'UpdateFrameworkMessage':
      return updateFramework(ctx, message.body);
    case 'FrameworkToExecutorMessage':
      return messageToExecutor(ctx, message.body);
    case 'ApplyOperationMessage':
      return applyOperationMessage(ctx, message.body);
    case 'AcknowledgeOperationStatusMessage':
      return acknowledgeOperation(ctx, message.body);
    case 'ReconcileOperationsMessage':
      return reconcileOperations(ctx, message.body);
    case 'DrainAgentMessage':
      return drainAgent(ctx, message.body.config);
    default:
      ctx.state.counters.invalidFrameworkMessages++;
      log(ctx, 'warning', `ignored ${message.name}: agents don't take it`);
  }
}
