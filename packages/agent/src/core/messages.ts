// The libprocess messages of masters and of the drivers of executors and schedulers.
import type { Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type Context, log } from './context.js';
import { forwardToExecutor } from './executor-calls.js';
import { handleDriverMessage } from './executor-driver.js';
import { drainAgent, killTask, leaveCluster, shutdownExecutor, shutdownFramework } from './kill.js';
import { runTask, runTaskGroup, updateFramework } from './launch.js';
import { acknowledgeOperation, applyOperationMessage, reconcileOperations } from './operations.js';
import { deleteAgentRecord, handlePing, handleRegistered, handleReregistered, isAtMaster } from './registration.js';
import { acknowledge } from './status-updates.js';

export function receive(ctx: Context, from: Pid, message: LibprocessMessage): void {
  const { state } = ctx;
  if (message.name === 'PingAgentMessage' && isAtMaster(state, from)) {
    return handlePing(ctx, from, message.body.connected);
  }
  if (state.started && handleDriverMessage(ctx, from, message)) return;
  if (!state.started || from !== state.registration.master) {
    return log(ctx, 'warning', `ignored ${message.name} of ${from}, which is not the leading master`);
  }
  switch (message.name) {
    case 'AgentRegisteredMessage':
      return handleRegistered(ctx, message.body);
    case 'AgentReregisteredMessage':
      return handleReregistered(ctx, message.body);
    case 'ShutdownMessage':
      log(ctx, 'warning', `the master shuts this agent down: ${message.body.message ?? 'no reason given'}`);
      deleteAgentRecord(ctx);
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
      return forwardToExecutor(ctx, message.body);
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
      log(ctx, 'warning', `ignored ${message.name}: it is not a message for agents`);
  }
}
