// WAIT_CONTAINER and WAIT_NESTED_CONTAINER calls, which are answered when the container ends.
//
// Owns `AgentState.waitingForRuns`: the calls for the containers of tasks and executors. The calls for nested and standalone
// containers are in their records (nested-containers.ts).
import type { ContainerId } from '@meseta/base';
import type { ExitStatus } from '@meseta/containers/types';
import type { Context } from './context.js';
import { waitStatusOf } from './exit-status.js';
import type { WaitingCall } from './state.js';

/** Answers the calls for the container of a task or executor that has ended. */
export function replyToWaitingForRun(ctx: Context, containerId: ContainerId, status: ExitStatus): void {
  for (const call of ctx.state.waitingForRuns.get(containerId) ?? []) replyToWait(ctx, call, status);
  ctx.state.waitingForRuns.delete(containerId);
}

export function replyToWait(ctx: Context, { connection, isNested }: WaitingCall, status: ExitStatus): void {
  const result = status.kind === 'unknown' ? {} : { exit_status: waitStatusOf(status) };
  const response = isNested
    ? ({ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: result } as const)
    : ({ type: 'WAIT_CONTAINER', wait_container: result } as const);
  ctx.effects.push({ kind: 'callReply', connection, status: 200, text: '', response });
}
