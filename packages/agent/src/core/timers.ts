// What the agent does when a timer is due.
import { takeDueTimer } from '@meseta/base/core/timers';
import { killAfterMaxCompletionTime, startProbe } from './command-executor.js';
import type { Context } from './context.js';
import { destroyLateExecutors, destroyUnsubscribedExecutor } from './custom-executor.js';
import { sendHeartbeat } from './executor-calls.js';
import { completeIfIdle } from './executors.js';
import { handleKillTimer } from './kill.js';
import { sendOperation } from './operations.js';
import { estimateOversubscribed } from './oversubscription.js';
import { handlePingTimeout, sendRegistration } from './registration.js';
import { measureDiskPeriodically } from './sandboxes.js';
import type { Timer } from './state.js';
import { resend } from './status-updates.js';

/** Handles the timers that are due. */
export function handleDueTimers(ctx: Context): void {
  for (let timer = takeDueTimer(ctx); timer !== undefined; timer = takeDueTimer(ctx)) handleTimer(ctx, timer);
}

function handleTimer(ctx: Context, timer: Timer): void {
  switch (timer.kind) {
    case 'register':
      return sendRegistration(ctx);
    case 'ping':
      return handlePingTimeout(ctx);
    case 'disk':
      return measureDiskPeriodically(ctx);
    case 'resend':
      return resend(ctx, timer.frameworkId, timer.taskId);
    case 'resendOperation':
      return sendOperation(ctx, timer.uuid);
    case 'oversubscription':
      return estimateOversubscribed(ctx);
    case 'framework':
      return completeIfIdle(ctx, timer.frameworkId);
    case 'executorsBack':
      return destroyLateExecutors(ctx);
    case 'registerExecutor':
      return destroyUnsubscribedExecutor(ctx, timer.containerId);
    case 'executorHeartbeat':
      return sendHeartbeat(ctx, timer.containerId);
    case 'kill':
      return handleKillTimer(ctx, timer.containerId);
    case 'maxCompletion':
      return killAfterMaxCompletionTime(ctx, timer.containerId);
    case 'health':
    case 'check':
      return startProbe(ctx, timer.containerId, timer.kind);
  }
}
