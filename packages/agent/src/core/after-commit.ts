// What the agent does when its checkpoint has been written: one handler for each kind of work.
import type { AfterCommitWork } from './checkpoint.js';
import type { Context } from './context.js';
import { deliverDurableLaunch } from './custom-executor.js';
import { acknowledgeExecutor } from './executor-calls.js';
import { launchExecutor } from './executor-launch.js';
import { sendDurableOperation } from './operations.js';
import { launchPodTask } from './pods.js';
import { announceRegistered } from './registration.js';
import { signalContainer } from './run-end.js';
import { forward } from './status-updates.js';

export function doAfterCommitWork(ctx: Context, work: AfterCommitWork): void {
  switch (work.kind) {
    case 'announceRegistered':
      return announceRegistered(ctx);
    case 'launch':
      return launchExecutor(ctx, work.frameworkId, work.executorId);
    case 'launchNested':
      ctx.effects.push({ kind: 'launch', spec: work.spec });
      return;
    case 'launchPodTask':
      return launchPodTask(ctx, work.frameworkId, work.taskId);
    case 'deliver':
      return deliverDurableLaunch(ctx, work.frameworkId, work.executorId, work.taskId);
    case 'acknowledgeExecutor':
      return acknowledgeExecutor(ctx, work.containerId, work.taskId, work.uuid);
    case 'forward':
      return forward(ctx, work.frameworkId, work.taskId);
    case 'sendOperation':
      return sendDurableOperation(ctx, work.uuid);
    case 'removeContainer':
      ctx.effects.push({ kind: 'removeContainer', containerId: work.containerId });
      return;
    case 'signal':
      return signalContainer(ctx, work.containerId, work.signal);
    case 'exit':
      ctx.effects.push({ kind: 'exit', status: work.status, message: work.message });
      return;
  }
}
