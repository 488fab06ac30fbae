// A framework ends: it is torn down, or has not subscribed again within its failover timeout.
// All its tasks become TASK_KILLED in the records, without updates, because no scheduler is connected.
import { cancelTimer } from '@meseta/base/core/timers';
import type { StatusUpdate, Task } from '@meseta/wire';
import { completeDrainIfEmpty } from '../agents/drain.js';
import { type Context, frameworkText, info, note, send } from '../context.js';
import { unlink } from '../links.js';
import { createMasterUpdate } from '../master-updates.js';
import { returnOffers } from '../offers.js';
import { orphanOperations } from '../operation-records.js';
import type { Framework } from '../state.js';
import { applyUpdate, endUnreachable, removeExecutor, removeTask } from '../tasks.js';
import { unbindConnection } from './records.js';

export function removeFramework(ctx: Context, framework: Framework): void {
  const { state, now } = ctx;
  const wasActive = framework.status === 'active';
  returnOffers(ctx, framework, 'silently');
  if (wasActive) state.allocator.deactivateFramework(framework.id);
  send(
    ctx,
    [...state.agents.registered.values()].map((agent) => agent.pid),
    {
      name: 'ShutdownFrameworkMessage',
      body: { framework_id: framework.wireId },
    },
  );
  endTasks(ctx, framework);
  for (const [agentId, executors] of [...framework.executors]) {
    const agent = state.agents.registered.get(agentId);
    if (agent === undefined) continue;
    for (const executorId of [...executors.keys()]) removeExecutor(ctx, framework, agent, executorId);
  }
  orphanOperations(ctx, framework);
  for (const agent of state.agents.registered.values()) {
    completeDrainIfEmpty(ctx, agent.id);
  }
  closeConnection(ctx, framework);
  state.allocator.removeFramework(framework.id);
  state.frameworks.delete(framework.id);
  state.completedFrameworks.set(framework.id, { framework: endedFramework(framework), unregisteredAtMs: now.wallMs });
  for (const oldest of state.completedFrameworks.keys()) {
    if (state.completedFrameworks.size <= state.options.maxCompletedFrameworks) break;
    state.completedFrameworks.delete(oldest);
  }
  info(ctx, `${frameworkText(framework.id, framework.info.name)} removed`);
  note(ctx, { kind: 'frameworkRemoved', frameworkId: framework.id });
}

const endedFramework = (framework: Framework): Framework => ({
  ...framework,
  status: 'disconnected',
  connection: undefined,
});

function closeConnection(ctx: Context, framework: Framework): void {
  const { state } = ctx;
  cancelTimer(ctx, { kind: 'heartbeat', frameworkId: framework.id });
  cancelTimer(ctx, { kind: 'failover', frameworkId: framework.id });
  unbindConnection(state, framework.connection);
  if (framework.connection?.kind === 'stream') {
    ctx.effects.push({ kind: 'closeStream', stream: framework.connection.id });
  } else if (framework.connection !== undefined) unlink(ctx, framework.connection.pid);
}

function endTasks(ctx: Context, framework: Framework): void {
  for (const task of [...framework.tasks.values()]) {
    removeTask(ctx, framework, applyUpdate(ctx, framework, task, killedUpdate(ctx, framework, task)), 'completed');
  }
  for (const task of [...framework.unreachableTasks.values()]) {
    endUnreachable(ctx, framework, task, killedUpdate(ctx, framework, task));
  }
}

const killedUpdate = (ctx: Context, framework: Framework, task: Task): StatusUpdate =>
  createMasterUpdate(ctx, framework, task, {
    state: 'TASK_KILLED',
    reason: 'REASON_FRAMEWORK_REMOVED',
    message: `Framework ${framework.id} removed`,
  });
