// Calls that wait for the end of a container: WAIT_CONTAINER and WAIT_NESTED_CONTAINER.
//
// Owns `AgentState.waitingForRuns`: the calls that wait for a task's or an executor's own container. Those that wait for a
// nested or standalone container are kept with its record (nested-containers.ts).
import type { ContainerId } from '@meseta/base';
import type { ExitStatus } from '@meseta/containers/types';
import type { Context } from './context.js';
import { waitStatusOf } from './exit-status.js';
import type { WaitingCall } from './state.js';

/** A task's or an executor's own container has ended. */
export function answerWaitingForRun(ctx: Context, containerId: ContainerId, status: ExitStatus): void {
  for (const call of ctx.state.waitingForRuns.get(containerId) ?? []) answerWait(ctx, call, status);
  ctx.state.waitingForRuns.delete(containerId);
}

export function answerWait(ctx: Context, { connection, nested }: WaitingCall, status: ExitStatus): void {
  const result = status.kind === 'unknown' ? {} : { exit_status: waitStatusOf(status) };
  const response = nested
    ? ({ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: result } as const)
    : ({ type: 'WAIT_CONTAINER', wait_container: result } as const);
  ctx.effects.push({ kind: 'callReply', connection, status: 200, text: '', response });
}
