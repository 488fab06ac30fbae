// A scheduler's connection broke: its offers are returned, and it has its failover timeout to subscribe again.

import type { FrameworkId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import { type Context, countFor, frameworkText, info } from '../context.js';
import type { StreamId } from '../io.js';
import { returnOffers } from '../offers.js';
import type { Framework } from '../state.js';
import { changeFramework, unbindConnection } from './records.js';
import { removeFramework } from './teardown.js';

export function streamClosed(ctx: Context, stream: StreamId): void {
  const id = ctx.state.frameworkByStream.get(stream);
  const framework = id === undefined ? undefined : ctx.state.frameworks.get(id);
  if (framework !== undefined) disconnectFramework(ctx, framework);
}

export function disconnectFramework(ctx: Context, framework: Framework): void {
  const { state } = ctx;
  unbindConnection(state, framework.connection);
  cancelTimer(ctx, { kind: 'heartbeat', frameworkId: framework.id });
  const disconnected = changeFramework(ctx, framework, { connection: undefined, status: 'disconnected' });
  // As in Mesos, its offers are counted as rescinded, although no scheduler is connected to receive the events.
  countFor(framework, 'offers/rescinded', framework.offers.size);
  countFor(framework, 'events/rescind', framework.offers.size);
  countFor(framework, 'events', framework.offers.size);
  deactivateFramework(ctx, disconnected, framework.status === 'active');
  const seconds = Math.max(0, framework.info.failover_timeout ?? 0);
  setTimer(ctx, { kind: 'failover', frameworkId: framework.id }, seconds * 1000);
  info(ctx, `${frameworkText(framework.id, framework.info.name)} disconnected, ${seconds} s to fail over`);
}

/** Returns the framework's offers and deactivates it; the allocator drops its filters. */
export function deactivateFramework(ctx: Context, framework: Framework, wasActive: boolean): void {
  returnOffers(ctx, framework, framework.connection === undefined ? 'silently' : 'rescinded');
  if (wasActive) ctx.state.allocator.deactivateFramework(framework.id);
}

/** The failover timeout is over: the framework ends, unless it has subscribed again. */
export function failoverTimedOut(ctx: Context, id: FrameworkId): void {
  const framework = ctx.state.frameworks.get(id);
  if (framework?.status !== 'disconnected') return;
  info(ctx, `${frameworkText(id, framework.info.name)} did not subscribe again within its failover timeout`);
  removeFramework(ctx, framework);
}
