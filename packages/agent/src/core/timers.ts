// What the agent does when a timer is due.
import { takeDueTimer } from '@meseta/base/core/timers';
import { maxCompletionReached, probe } from './command-executor.js';
import type { Context } from './context.js';
import { executorsLate, registrationTimedOut } from './custom-executor.js';
import { executorHeartbeat } from './executor-calls.js';
import { completeIfIdle } from './executors.js';
import { killDue } from './kill.js';
import { sendOperation } from './operations.js';
import { pingsStopped, tryToRegister } from './registration.js';
import { watchDisk } from './sandboxes.js';
import type { Timer } from './state.js';
import { resend } from './status-updates.js';

/** Handles the timers that are due. */
export function handleDueTimers(ctx: Context): void {
  for (let timer = takeDueTimer(ctx); timer !== undefined; timer = takeDueTimer(ctx)) handleTimer(ctx, timer);
}

function handleTimer(ctx: Context, timer: Timer): void {
  switch (timer.kind) {
    case 'register':
      return tryToRegister(ctx);
    case 'ping':
      return pingsStopped(ctx);
    case 'disk':
      return watchDisk(ctx);
    case 'resend':
      return resend(ctx, timer.frameworkId, timer.taskId);
    case 'resendOperation':
      return sendOperation(ctx, timer.uuid);
    case 'framework':
      return completeIfIdle(ctx, timer.frameworkId);
    case 'executorsBack':
      return executorsLate(ctx);
    case 'registerExecutor':
      return registrationTimedOut(ctx, timer.containerId);
    case 'executorHeartbeat':
      return executorHeartbeat(ctx, timer.containerId);
    case 'kill':
      return killDue(ctx, timer.containerId);
    case 'maxCompletion':
      return maxCompletionReached(ctx, timer.containerId);
    case 'health':
    case 'check':
      return probe(ctx, timer.containerId, timer.kind);
  }
}
