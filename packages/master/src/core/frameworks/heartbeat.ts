// Heartbeats on scheduler streams: one directly after SUBSCRIBED, then one per interval.

import type { FrameworkId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import type { Context } from '../context.js';
import { sendEvent } from '../events.js';
import type { Framework } from '../state.js';

/** Sends a heartbeat and sets the timer of the next one. */
export function sendHeartbeat(ctx: Context, framework: Framework): void {
  if (framework.connection?.kind !== 'stream') return;
  sendEvent(ctx, framework, { type: 'HEARTBEAT' });
  setTimer(ctx, { kind: 'heartbeat', frameworkId: framework.id }, ctx.state.options.heartbeatIntervalMs);
}

export function heartbeatDue(ctx: Context, id: FrameworkId): void {
  const framework = ctx.state.frameworks.get(id);
  if (framework !== undefined) sendHeartbeat(ctx, framework);
}
