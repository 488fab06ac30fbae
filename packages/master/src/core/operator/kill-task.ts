// Meseta's own endpoint: an operator kills one task of a framework. Agent, task and scheduler see a KILL of the framework;
// only the answers are for the operator.
import { type FrameworkId, idOf, type TaskId } from '@meseta/base';
import { type Context, info, reply } from '../context.js';
import type { KillTaskInput } from '../io.js';
import { kill } from '../kill.js';

export function killTask(ctx: Context, { request, principal, frameworkId, kill: call }: KillTaskInput): void {
  const framework = ctx.state.frameworks.get(idOf<FrameworkId>(frameworkId));
  if (framework === undefined) {
    return reply(ctx, request, 404, `framework_id: framework ${frameworkId.value} is unknown`);
  }
  // Permission to tear down the framework includes permission to kill one of its tasks.
  const value = framework.info.principal;
  if (!ctx.state.options.authorize({ action: 'TEARDOWN_FRAMEWORK', principal, value })) {
    return reply(ctx, request, 403, `not authorized to kill tasks of framework ${framework.id}`);
  }
  const task = framework.tasks.get(idOf<TaskId>(call.task_id));
  if (task === undefined) {
    return reply(ctx, request, 404, `task_id: framework ${framework.id} runs no task ${call.task_id.value}`);
  }
  info(ctx, `killing task ${call.task_id.value} of framework ${framework.id} for ${principal ?? 'an operator'}`);
  kill(ctx, framework, call);
  reply(ctx, request, 202);
}
