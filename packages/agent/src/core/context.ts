// What the handlers of one step share, and the effects that many of them add.
import type { ContainerId, LogLine, Pid } from '@meseta/base';
import type { Context as CoreContext } from '@meseta/base/core/context';
import { cancelTimer } from '@meseta/base/core/timers';
import type { LibprocessMessage } from '@meseta/wire';
import type { AgentEffect } from './io.js';
import type { AgentState } from './state.js';

export type Context = CoreContext<AgentState, AgentEffect>;

export const log = (ctx: Context, level: LogLine['level'], text: string): void => {
  ctx.effects.push({ kind: 'log', level, text, cause: ctx.cause });
};

export const send = (ctx: Context, to: Pid, message: LibprocessMessage): void => {
  ctx.effects.push({ kind: 'send', to, message });
};

/** To the master, if there is one. */
export const sendToMaster = (ctx: Context, message: LibprocessMessage): void => {
  const { master } = ctx.state.registration;
  if (master !== undefined) send(ctx, master, message);
};

const CONTAINER_TIMERS = ['kill', 'maxCompletion', 'health', 'check', 'registerExecutor', 'executorHeartbeat'] as const;

export const cancelContainerTimers = (ctx: Context, containerId: ContainerId): void => {
  for (const kind of CONTAINER_TIMERS) cancelTimer(ctx, { kind, containerId });
};
