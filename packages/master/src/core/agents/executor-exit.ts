// The end of a framework's executor, and messages of executors. Schedulers do not see the executors of command tasks.
import { type ExecutorId, type FrameworkId, idOf, type Pid } from '@meseta/base';
import type { ExecutorToFrameworkMessage, ExitedExecutorMessage } from '@meseta/wire';
import { type Context, count, warn } from '../context.js';
import { sendEvent } from '../events.js';
import { agentOf } from '../offers.js';
import { removeExecutor } from '../tasks.js';

/** The agent does not retry this message, so a disconnected scheduler misses it. */
export function executorExited(ctx: Context, from: Pid, message: ExitedExecutorMessage): void {
  count(ctx, 'master/messages_exited_executor');
  const { agent_id, executor_id, framework_id, status } = message;
  const agent = agentOf(ctx, agent_id);
  const framework = ctx.state.frameworks.get(idOf<FrameworkId>(framework_id));
  if (agent === undefined || framework === undefined) {
    return warn(ctx, `ignoring the end of executor ${executor_id.value}: its agent or framework is unknown`);
  }
  if (agent.pid !== from) {
    return warn(
      ctx,
      `ignoring the end of executor ${executor_id.value} from ${from}: agent ${agent.id} is at ${agent.pid}`,
    );
  }
  if (!removeExecutor(ctx, framework, agent, idOf<ExecutorId>(executor_id))) {
    return warn(ctx, `ignoring the end of executor ${executor_id.value} of ${framework.id}: it is unknown`);
  }
  sendEvent(ctx, framework, { type: 'FAILURE', failure: { agent_id, executor_id, status } });
}

export function executorMessage(ctx: Context, from: Pid, message: ExecutorToFrameworkMessage): void {
  count(ctx, 'master/messages_executor_to_framework');
  const { agent_id, executor_id, framework_id, data } = message;
  const framework = ctx.state.frameworks.get(idOf<FrameworkId>(framework_id));
  if (agentOf(ctx, agent_id)?.pid !== from || framework?.connection === undefined) {
    count(ctx, 'master/invalid_executor_to_framework_messages');
    return warn(
      ctx,
      `dropping a message of executor ${executor_id.value} to framework ${framework_id.value} from ${from}`,
    );
  }
  sendEvent(ctx, framework, { type: 'MESSAGE', message: { agent_id, executor_id, data } });
  count(ctx, 'master/valid_executor_to_framework_messages');
}
