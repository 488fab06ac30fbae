// The work that follows when registry operations are durable: one handler per kind.
import { agentDeactivated, agentDrained, agentDraining, agentReactivated } from './agents/drain.js';
import { agentGone } from './agents/gone.js';
import { agentsPruned, recovered } from './agents/recovery.js';
import { agentAdmitted } from './agents/register.js';
import { agentRemoved } from './agents/remove.js';
import { agentReadmitted } from './agents/reregister.js';
import { agentUnreachable } from './agents/unreachable.js';
import type { Context } from './context.js';
import { maintenanceStarted, maintenanceStopped, maintenanceUpdated } from './operator/maintenance.js';
import { quotaUpdated } from './operator/quota.js';
import { weightsUpdated } from './operator/weights.js';
import type { AfterCommitWork } from './registrar.js';

export function doAfterCommitWork(ctx: Context, work: AfterCommitWork): void {
  switch (work.kind) {
    case 'recovered':
      return recovered(ctx);
    case 'agentAdmitted':
      return agentAdmitted(ctx, work.pid, work.agentId);
    case 'agentReadmitted':
      return agentReadmitted(ctx, work.agentId);
    case 'agentUnreachable':
      return agentUnreachable(ctx, work.agentId, work.atMs, work.why);
    case 'agentRemoved':
      return agentRemoved(ctx, work.agentId, work.why);
    case 'agentGone':
      return agentGone(ctx, work.agentId, work.atMs, work.request);
    case 'agentsPruned':
      return agentsPruned(ctx, work.unreachable, work.gone);
    case 'agentDraining':
      return agentDraining(ctx, work.agentId, work.request);
    case 'agentDrained':
      return agentDrained(ctx, work.agentId);
    case 'agentDeactivated':
      return agentDeactivated(ctx, work.agentId, work.request);
    case 'agentReactivated':
      return agentReactivated(ctx, work.agentId, work.request);
    case 'quotaUpdated':
      return quotaUpdated(ctx, work.configs, work.rescinds, work.request);
    case 'weightsUpdated':
      return weightsUpdated(ctx, work.roles, work.request);
    case 'maintenanceUpdated':
      return maintenanceUpdated(ctx, work.affected, work.request);
    case 'maintenanceStarted':
      return maintenanceStarted(ctx, work.machines, work.request);
    case 'maintenanceStopped':
      return maintenanceStopped(ctx, work.machines, work.request);
  }
}
