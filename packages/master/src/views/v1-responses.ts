// The answers of the operator API that are encoded at once.
import type { Metrics } from '@meseta/api';
import type {
  InverseOfferStatus,
  MaintenanceClusterStatus,
  MaintenanceClusterStatusDrainingMachine,
  MasterResponse,
  QuotaConfig,
  QuotaInfo,
  WeightInfo,
} from '@meseta/wire';
import type { MasterState } from '../core/state.js';
import { machineKey, machineKeyOf } from '../registry/state.js';
import { type Approver, seesResource } from './approver.js';
import type { ProcessFacts } from './facts.js';
import { getRoles } from './roles.js';
import { snapshotOf } from './snapshot.js';

export const getHealth = (): MasterResponse => ({ type: 'GET_HEALTH', get_health: { healthy: true } });

export const getVersion = ({ build }: ProcessFacts): MasterResponse => ({
  type: 'GET_VERSION',
  get_version: { version_info: build },
});

export const getFlags = ({ flags }: ProcessFacts): MasterResponse => ({
  type: 'GET_FLAGS',
  get_flags: { flags: [...flags].map(([name, value]) => ({ name, value })) },
});

export const getMetrics = (metrics: Metrics): MasterResponse => ({
  type: 'GET_METRICS',
  get_metrics: { metrics: [...metrics].map(([name, { value }]) => ({ name, value })) },
});

export const getLoggingLevel = (level: number): MasterResponse => ({
  type: 'GET_LOGGING_LEVEL',
  get_logging_level: { level },
});

export const getMaster = (state: MasterState, { info, startedAtMs }: ProcessFacts): MasterResponse => ({
  type: 'GET_MASTER',
  get_master: {
    master_info: info,
    start_time: startedAtMs / 1000,
    ...(state.electedAtMs === undefined ? {} : { elected_time: state.electedAtMs / 1000 }),
  },
});

/** The operations with resources only of roles that may be seen. */
export const getOperations = (state: MasterState, approver: Approver): MasterResponse => {
  const operations = [...state.operations.values()]
    .filter(({ consumed }) => consumed.every((resource) => seesResource(approver, resource)))
    .map(({ operation }) => operation);
  return { type: 'GET_OPERATIONS', get_operations: operations.length === 0 ? {} : { operations } };
};

export const rolesResponse = (state: MasterState, approver: Approver): MasterResponse => ({
  type: 'GET_ROLES',
  get_roles: getRoles(state, snapshotOf(state), approver),
});

export const weightsOf = ({ registrar }: MasterState, approver: Approver): readonly WeightInfo[] =>
  [...registrar.durable.weights].filter(([role]) => approver.role(role)).map(([role, weight]) => ({ role, weight }));

/** Without weights the answer has no field, as in Mesos. */
export const getWeights = (state: MasterState, approver: Approver): MasterResponse => {
  const weights = weightsOf(state, approver);
  return { type: 'GET_WEIGHTS', ...(weights.length === 0 ? {} : { get_weights: { weight_infos: weights } }) };
};

/** The v0 form of a quota: its guarantees as resources. */
const quotaInfoOf = ({ role, guarantees = {} }: QuotaConfig): QuotaInfo => ({
  role,
  guarantee: Object.entries(guarantees).map(([name, scalar]) => ({ name, type: 'SCALAR', scalar })),
});

/** The most recent quota comes first, as in Mesos. */
export const quotaStatusOf = (state: MasterState, approver: Approver) => {
  const configs = [...state.registrar.durable.quotas.values()].reverse().filter(({ role }) => approver.quota(role));
  return configs.length === 0 ? {} : { infos: configs.map(quotaInfoOf), configs };
};

export const getQuota = (state: MasterState, approver: Approver): MasterResponse => ({
  type: 'GET_QUOTA',
  get_quota: { status: quotaStatusOf(state, approver) },
});

/** The maintenance schedule; empty if none is set. */
export const maintenanceScheduleOf = ({ registrar }: MasterState, approver: Approver) =>
  (approver.maintenanceSchedule ? registrar.durable.schedules[0] : undefined) ?? {};

export const getMaintenanceSchedule = (state: MasterState, approver: Approver): MasterResponse => ({
  type: 'GET_MAINTENANCE_SCHEDULE',
  get_maintenance_schedule: { schedule: maintenanceScheduleOf(state, approver) },
});

/** The frameworks' answers to inverse offers, by `machineKey`. A machine may have several agents. */
function statusesByMachine({ agents, allocator }: MasterState): ReadonlyMap<string, readonly InverseOfferStatus[]> {
  const byMachine = new Map<string, InverseOfferStatus[]>();
  for (const [agentId, answers] of allocator.inverseOfferStatuses()) {
    const agent = agents.registered.get(agentId);
    if (agent === undefined || answers.size === 0) continue;
    const key = machineKeyOf(agent);
    const statuses = byMachine.get(key) ?? [];
    byMachine.set(key, statuses);
    for (const status of answers.values()) statuses.push(status);
  }
  return byMachine;
}

export function maintenanceStatusOf(state: MasterState, approver: Approver): MaintenanceClusterStatus {
  if (!approver.maintenanceStatus) return {};
  const machines = [...state.registrar.durable.machines.values()];
  const statusesOf = statusesByMachine(state);
  const draining = machines
    .filter(({ mode }) => mode === 'DRAINING')
    .map(({ id }): MaintenanceClusterStatusDrainingMachine => {
      const statuses = statusesOf.get(machineKey(id));
      return statuses === undefined ? { id } : { id, statuses };
    });
  const down = machines.filter(({ mode }) => mode === 'DOWN').map(({ id }) => id);
  return {
    ...(draining.length === 0 ? {} : { draining_machines: draining }),
    ...(down.length === 0 ? {} : { down_machines: down }),
  };
}

export const getMaintenanceStatus = (state: MasterState, approver: Approver): MasterResponse => ({
  type: 'GET_MAINTENANCE_STATUS',
  get_maintenance_status: { status: maintenanceStatusOf(state, approver) },
});
