// WAIT_CONTAINER and WAIT_NESTED_CONTAINER calls, which are answered when the container ends.
//
// Owns `AgentState.waitingForRuns`: the calls for the containers of tasks and executors. The calls for nested and standalone
// containers are in their records (nested-containers.ts).
import type { ContainerId } from '@meseta/base';
import type { ContainerEnd } from '@meseta/containers/types';
import type { Context } from './context.js';
import { limitationStatus, waitStatusOf } from './exit-status.js';
import type { WaitingCall } from './state.js';

/** Answers the calls for the container of a task or executor that has ended. */
export function replyToWaitingForRun(ctx: Context, containerId: ContainerId, end: ContainerEnd): void {
  for (const call of ctx.state.waitingForRuns.get(containerId) ?? []) replyToWait(ctx, call, end);
  ctx.state.waitingForRuns.delete(containerId);
}

export function replyToWait(ctx: Context, { connection, isNested }: WaitingCall, end: ContainerEnd): void {
  const { source: _, ...limited } = limitationStatus(end) ?? {};
  const result = { ...(end.status.kind === 'unknown' ? {} : { exit_status: waitStatusOf(end.status) }), ...limited };
  const response = isNested
    ? ({ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: result } as const)
    : ({ type: 'WAIT_CONTAINER', wait_container: result } as const);
  ctx.effects.push({ kind: 'callReply', connection, status: 200, text: '', response });
}
