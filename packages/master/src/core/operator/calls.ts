// Operator calls that change state. Views answer the calls that read.
import { type AgentId, type FrameworkId, idOf } from '@meseta/base';
import type { AuthorizationAction, DrainConfig, MasterCall, MasterCallDrainAgent } from '@meseta/wire';
import { checkDrainable, deactivateAgent, drainAgent, reactivateAgent } from '../agents/drain.js';
import { markAgentGone } from '../agents/gone.js';
import { type Context, reply } from '../context.js';
import { removeFramework } from '../frameworks/teardown.js';
import type { RequestId } from '../io.js';
import { startMaintenance, stopMaintenance, updateSchedule } from './maintenance.js';
import { removeQuota, setQuota, updateQuota } from './quota.js';
import { operationOf, performOperation } from './resource-operations.js';
import { updateWeights } from './weights.js';

/** The required field by type of call. */
const BODIES = {
  RESERVE_RESOURCES: 'reserve_resources',
  UNRESERVE_RESOURCES: 'unreserve_resources',
  CREATE_VOLUMES: 'create_volumes',
  DESTROY_VOLUMES: 'destroy_volumes',
  GROW_VOLUME: 'grow_volume',
  SHRINK_VOLUME: 'shrink_volume',
  UPDATE_WEIGHTS: 'update_weights',
  UPDATE_QUOTA: 'update_quota',
  SET_QUOTA: 'set_quota',
  REMOVE_QUOTA: 'remove_quota',
  UPDATE_MAINTENANCE_SCHEDULE: 'update_maintenance_schedule',
  START_MAINTENANCE: 'start_maintenance',
  STOP_MAINTENANCE: 'stop_maintenance',
  DRAIN_AGENT: 'drain_agent',
  DEACTIVATE_AGENT: 'deactivate_agent',
  REACTIVATE_AGENT: 'reactivate_agent',
  MARK_AGENT_GONE: 'mark_agent_gone',
  TEARDOWN: 'teardown',
} as const;

type ChangingType = keyof typeof BODIES;

const isChanging = (type: string | undefined): type is ChangingType => type !== undefined && type in BODIES;

export function operatorCall(ctx: Context, request: RequestId, principal: string | undefined, call: MasterCall): void {
  const { type } = call;
  if (!isChanging(type))
    return reply(ctx, request, 400, `type: expected a call that changes state, got ${type ?? 'none'}`);
  const field = BODIES[type];
  if (call[field] === undefined)
    return reply(ctx, request, 400, `${field}: is missing, expected for a call of type ${type}`);
  const onResources = operationOf(call);
  if (onResources !== undefined) {
    return performOperation(ctx, request, principal, onResources.agentId, onResources.operation);
  }
  if (call.update_weights !== undefined && type === 'UPDATE_WEIGHTS') {
    return updateWeights(ctx, request, principal, call.update_weights.weight_infos ?? []);
  }
  if (call.update_quota !== undefined && type === 'UPDATE_QUOTA') {
    const { quota_configs, force } = call.update_quota;
    return updateQuota(ctx, request, principal, quota_configs ?? [], force === true);
  }
  if (call.set_quota !== undefined && type === 'SET_QUOTA') {
    return setQuota(ctx, request, principal, call.set_quota.quota_request);
  }
  if (call.remove_quota !== undefined && type === 'REMOVE_QUOTA') {
    return removeQuota(ctx, request, principal, call.remove_quota.role);
  }
  if (type === 'TEARDOWN') return teardownCall(ctx, request, principal, call);
  if (type.endsWith('AGENT') || type === 'MARK_AGENT_GONE') return agentCall(ctx, request, principal, call, type);
  maintenanceCall(ctx, request, principal, call, type);
}

function maintenanceCall(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  call: MasterCall,
  type: ChangingType,
): void {
  const { update_maintenance_schedule, start_maintenance, stop_maintenance } = call;
  if (type === 'UPDATE_MAINTENANCE_SCHEDULE' && update_maintenance_schedule !== undefined) {
    return updateSchedule(ctx, request, principal, update_maintenance_schedule.schedule);
  }
  if (type === 'START_MAINTENANCE') return startMaintenance(ctx, request, principal, start_maintenance?.machines ?? []);
  stopMaintenance(ctx, request, principal, stop_maintenance?.machines ?? []);
}

function teardownCall(ctx: Context, request: RequestId, principal: string | undefined, call: MasterCall): void {
  const id = call.teardown?.framework_id;
  const framework = id === undefined ? undefined : ctx.state.frameworks.get(idOf<FrameworkId>(id));
  if (framework === undefined) return reply(ctx, request, 400, `framework_id: framework ${id?.value ?? ''} is unknown`);
  const value = framework.info.principal;
  if (!ctx.state.options.authorize({ action: 'TEARDOWN_FRAMEWORK', principal, value })) {
    return reply(ctx, request, 403, `not authorized to tear down framework ${framework.id}`);
  }
  removeFramework(ctx, framework);
  reply(ctx, request, 200);
}

const ACTIONS = {
  DRAIN_AGENT: 'DRAIN_AGENT',
  DEACTIVATE_AGENT: 'DEACTIVATE_AGENT',
  REACTIVATE_AGENT: 'REACTIVATE_AGENT',
  MARK_AGENT_GONE: 'MARK_AGENT_GONE',
} as const satisfies Readonly<Record<string, AuthorizationAction>>;

function agentCall(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  call: MasterCall,
  type: ChangingType,
): void {
  const id = (call.drain_agent ?? call.deactivate_agent ?? call.reactivate_agent ?? call.mark_agent_gone)?.agent_id;
  if (id === undefined || !(type in ACTIONS)) return reply(ctx, request, 400, 'agent_id: is missing');
  const action = ACTIONS[type as keyof typeof ACTIONS];
  const agentId = idOf<AgentId>(id);
  const problem = call.drain_agent === undefined ? undefined : checkDrainable(ctx, agentId);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const { authorize } = ctx.state.options;
  const marksGone = call.drain_agent?.mark_gone === true;
  if (!authorize({ action, principal }) || (marksGone && !authorize({ action: 'MARK_AGENT_GONE', principal }))) {
    return reply(ctx, request, 403, `not authorized to call ${type}`);
  }
  if (type === 'MARK_AGENT_GONE') return markAgentGone(ctx, agentId, request);
  if (type === 'DEACTIVATE_AGENT') return deactivateAgent(ctx, request, agentId);
  if (type === 'REACTIVATE_AGENT') return reactivateAgent(ctx, request, agentId);
  if (call.drain_agent === undefined) return;
  const config = configOf(call.drain_agent);
  if ((config.max_grace_period?.nanoseconds ?? 0) < 0) {
    return reply(ctx, request, 400, 'drain_agent.max_grace_period: expected a duration >= 0');
  }
  drainAgent(ctx, request, agentId, config);
}

function configOf({ max_grace_period, mark_gone }: MasterCallDrainAgent): DrainConfig {
  const grace = max_grace_period;
  const nanoseconds = grace === undefined ? undefined : (grace.seconds ?? 0) * 1e9 + (grace.nanos ?? 0);
  return {
    ...(nanoseconds === undefined ? {} : { max_grace_period: { nanoseconds } }),
    mark_gone: mark_gone ?? false,
  };
}
