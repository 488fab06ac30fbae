// Dispatches libprocess messages of agents and v0 drivers.
import type { Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { executorExited, executorMessage } from './agents/executor-exit.js';
import { pong } from './agents/ping.js';
import { registerAgent } from './agents/register.js';
import { unregisterAgent } from './agents/remove.js';
import { reregisterAgent } from './agents/reregister.js';
import { updateAgent } from './agents/update.js';
import { type Context, count, warn } from './context.js';
import { deactivateDriver, subscribeDriver } from './frameworks/drivers.js';
import { operationStatusUpdate } from './operation-updates.js';
import { driverCall } from './scheduler-calls.js';
import { statusUpdate } from './status-updates.js';

export function receive(ctx: Context, from: Pid, message: LibprocessMessage, principal: string | undefined): void {
  switch (message.name) {
    case 'RegisterAgentMessage':
      return registerAgent(ctx, from, message.body, principal);
    case 'ReregisterAgentMessage':
      return reregisterAgent(ctx, from, message.body, principal);
    case 'UnregisterAgentMessage':
      return unregisterAgent(ctx, from, message.body);
    case 'UpdateAgentMessage':
      return updateAgent(ctx, from, message.body);
    case 'PongAgentMessage':
      return pong(ctx, from);
    case 'StatusUpdateMessage':
      return statusUpdate(ctx, from, message.body);
    case 'UpdateOperationStatusMessage':
      return operationStatusUpdate(ctx, from, message.body);
    case 'ExitedExecutorMessage':
      return executorExited(ctx, from, message.body);
    case 'ExecutorToFrameworkMessage':
      return executorMessage(ctx, from, message.body);
    case 'SchedulerCall':
      if (message.body.type === 'SUBSCRIBE') return subscribeDriver(ctx, from, message.body);
      return driverCall(ctx, from, message.body);
    case 'AuthenticateMessage':
      // The shell handles the authentication.
      return count(ctx, 'master/messages_authenticate');
    case 'DeactivateFrameworkMessage':
      count(ctx, 'master/messages_deactivate_framework');
      return deactivateDriver(ctx, from, message.body);
    default:
      return warn(ctx, `dropping ${message.name} of ${from}: masters do not accept it`);
  }
}
