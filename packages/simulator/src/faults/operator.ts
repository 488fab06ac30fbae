// An operator acts: quota, weights, drains, maintenance, teardowns. Each action has a random stream of its own.
// Draws: the action and its target.
// Effect: the call is sent to the leading master once, without waiting for the response. `takeDown` schedules the
//     maintenance of a machine and starts it 3 s later.
// Ends: during the recovery phase the operator brings up machines that are down for maintenance. Everything else is
//     permanent.
import { type Random, shuffle } from '@meseta/base';
import type { AgentID, MachineID, MasterCall } from '@meseta/wire';
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { transmitRequest } from '../nodes/http.js';
import type { Cluster } from '../run/cluster.js';
import { QUOTA_ROLES, ROLES } from '../schedulers/roles.js';
import { anyAgent, type FaultKind, type Shape } from './fault.js';

export type OperatorAction =
  | { readonly kind: 'drain'; readonly agent: number; readonly markGone: boolean }
  | { readonly kind: 'deactivate' | 'reactivate' | 'markGone'; readonly agent: number }
  | { readonly kind: 'quota'; readonly role: string; readonly guaranteeCpus: number; readonly limitCpus: number }
  | { readonly kind: 'weight'; readonly role: string; readonly weight: number }
  | { readonly kind: 'weights'; readonly weights: readonly (readonly [role: string, weight: number])[] }
  | { readonly kind: 'maintain' | 'takeDown'; readonly agent: number }
  | { readonly kind: 'teardown'; readonly framework: number };

export interface OperatorFault {
  readonly kind: 'operator';
  readonly action: OperatorAction;
}

type Draw = (random: Random, shape: Shape) => OperatorAction;

function drawQuota(random: Random): OperatorAction {
  const limitCpus = wholeBetween(random, 1, 8);
  const guaranteeCpus = wholeBetween(random, 0, limitCpus);
  return { kind: 'quota', role: pick(random, QUOTA_ROLES), guaranteeCpus, limitCpus };
}

const WEIGHTS = [0.25, 0.5, 1, 2, 3.5, 10] as const;

/** Weights of one to four roles, some of them fractions. */
export const drawWeights = (random: Random): readonly (readonly [role: string, weight: number])[] =>
  shuffle(random, [...ROLES])
    .slice(0, wholeBetween(random, 1, 4))
    .map((role) => [role, pick(random, WEIGHTS)]);

const ofAgent =
  (kind: 'deactivate' | 'reactivate' | 'markGone' | 'maintain' | 'takeDown'): Draw =>
  (random, shape) => ({ kind, agent: anyAgent(random, shape) });

const drawDrain: Draw = (random, shape) => ({
  kind: 'drain',
  agent: anyAgent(random, shape),
  markGone: happens(random, 0.3),
});

const drawWeight: Draw = (random) => ({
  kind: 'weight',
  role: pick(random, ROLES),
  weight: wholeBetween(random, 1, 4),
});

const drawTeardown: Draw = (random, { frameworks }) => ({
  kind: 'teardown',
  framework: wholeBetween(random, 0, frameworks - 1),
});

const actionKind = (
  action: OperatorAction['kind'],
  share: number,
  maxCount: number,
  draw: Draw,
): FaultKind<OperatorFault> => ({
  name: `operator ${action}`,
  share,
  maxCount,
  draw: (random, shape) => ({ kind: 'operator', action: draw(random, shape) }),
  inject: (cluster, fault) => operate(cluster, fault.action),
});

/** `weights` is drawn by the variation `many weights`. */
export const operatorActions: readonly FaultKind<OperatorFault>[] = [
  actionKind('quota', 0.4, 2, drawQuota),
  actionKind('drain', 0.15, 2, drawDrain),
  actionKind('deactivate', 0.15, 2, ofAgent('deactivate')),
  actionKind('reactivate', 0.15, 2, ofAgent('reactivate')),
  actionKind('markGone', 0.15, 2, ofAgent('markGone')),
  actionKind('weight', 0.15, 2, drawWeight),
  actionKind('weights', 0, 3, (random) => ({ kind: 'weights', weights: drawWeights(random) })),
  actionKind('maintain', 0.15, 2, ofAgent('maintain')),
  { ...actionKind('takeDown', 0.15, 2, ofAgent('takeDown')), heal: bringUpRepeatedly },
  actionKind('teardown', 0.15, 1, drawTeardown),
];

const OPERATOR_ADDRESS = '10.0.4.1:9000';

/** Sends a call to the leading master, once. */
function callLeader({ world, masters }: Cluster, call: MasterCall): void {
  const leader = masters.leader();
  if (leader === undefined) return;
  const end = world.network.connect(OPERATOR_ADDRESS, leader.machine.address, 'http', {
    data: (answer) => world.journal.record('operator', 'receives', answer),
    ended: () => {},
  });
  end.write(transmitRequest({ kind: 'operatorCall', call }, world.encoded));
}

function operate(cluster: Cluster, action: OperatorAction): boolean {
  if (action.kind === 'takeDown') {
    const machines = [machineOf(cluster, action.agent)].filter((it) => it !== undefined);
    const call: MasterCall = { type: 'START_MAINTENANCE', start_maintenance: { machines } };
    cluster.world.timeline.after(3_000, () => callLeader(cluster, call));
  }
  const calls = callsOf(cluster, action);
  for (const call of calls) callLeader(cluster, call);
  return calls.length > 0 && cluster.masters.leader() !== undefined;
}

const tearDown = (frameworkId: string): MasterCall => ({
  type: 'TEARDOWN',
  teardown: { framework_id: { value: frameworkId } },
});

function callsOf(cluster: Cluster, action: OperatorAction): readonly MasterCall[] {
  const node = 'agent' in action ? cluster.agents.get(action.agent) : undefined;
  const id = node?.core?.state.info.id?.value;
  const agent_id: AgentID = { value: id ?? '' };
  if ('agent' in action && id === undefined) return [];
  switch (action.kind) {
    case 'drain': {
      const mark = action.markGone ? { mark_gone: true } : {};
      return [{ type: 'DRAIN_AGENT', drain_agent: { agent_id, max_grace_period: { seconds: 2 }, ...mark } }];
    }
    case 'deactivate':
      return [{ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } }];
    case 'reactivate':
      return [{ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } }];
    case 'markGone':
      return [{ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } }];
    case 'quota': {
      const { role, guaranteeCpus, limitCpus } = action;
      const config = { role, guarantees: { cpus: { value: guaranteeCpus } }, limits: { cpus: { value: limitCpus } } };
      return [{ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs: [config] } }];
    }
    case 'weight':
      return [
        { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ weight: action.weight, role: action.role }] } },
      ];
    case 'weights': {
      const weight_infos = action.weights.map(([role, weight]) => ({ role, weight }));
      return [{ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos } }];
    }
    case 'maintain':
    case 'takeDown':
      return maintenanceCalls(cluster, action.agent);
    case 'teardown': {
      const frameworkId = cluster.frameworks.get(action.framework)?.memory.frameworkId;
      return frameworkId === undefined ? [] : [tearDown(frameworkId)];
    }
  }
}

function machineOf({ agents }: Cluster, index: number): MachineID | undefined {
  const machine = agents.get(index)?.machine;
  return machine === undefined ? undefined : { hostname: machine.name, ip: machine.address.split(':')[0] ?? '' };
}

/** The call replaces the whole schedule, so it includes the machines that are down. */
function maintenanceCalls(cluster: Cluster, index: number): readonly MasterCall[] {
  const { masters, world } = cluster;
  const id = machineOf(cluster, index);
  if (id === undefined) return [];
  const down = [...(masters.leader()?.core.state.registrar.durable.machines.values() ?? [])]
    .filter((it) => it.mode === 'DOWN' && it.id.hostname !== id.hostname)
    .map((it) => it.id);
  const start = { nanoseconds: BigInt(Math.round(world.timeline.nowMs() + 1.7e12)) * 1_000_000n };
  const windows = [{ machine_ids: [id, ...down], unavailability: { start } }];
  return [{ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } }];
}

const BRING_UP_INTERVAL_MS = 60_000;

/** Repeated: the leading master may be paused, and then performs a START_MAINTENANCE that it received long before. */
function bringUpRepeatedly(cluster: Cluster): void {
  bringUp(cluster);
  cluster.world.timeline.after(BRING_UP_INTERVAL_MS, () => bringUpRepeatedly(cluster));
}

function bringUp(cluster: Cluster): void {
  const machines = cluster.masters.leader()?.core.state.registrar.durable.machines.values() ?? [];
  for (const { id, mode } of machines) {
    if (mode === 'DOWN') callLeader(cluster, { type: 'STOP_MAINTENANCE', stop_maintenance: { machines: [id] } });
  }
}

const TEAR_DOWN_INTERVAL_MS = 30_000;

/**
 * Tears down recovered frameworks whose schedulers subscribed under another id; called while the cluster recovers. A new
 * leader does not know which frameworks were removed, so an agent that did not receive the removal reports the framework
 * again when it re-registers. Such a framework has no scheduler and no failover timeout.
 */
export function tearDownForgotten(cluster: Cluster): void {
  const ended = new Set([...cluster.frameworks.values()].flatMap(({ memory }) => memory.formerIds));
  for (const { id, status } of cluster.masters.leader()?.core.state.frameworks.values() ?? []) {
    if (status !== 'recovered' || !ended.has(id)) continue;
    callLeader(cluster, tearDown(id));
    cluster.world.count('recovered frameworks torn down');
  }
  cluster.world.timeline.after(TEAR_DOWN_INTERVAL_MS, () => tearDownForgotten(cluster));
}
