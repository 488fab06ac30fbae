// The faults of a plan, done to a cluster.
import type { AgentID, MachineID, MasterCall, QuotaConfig } from '@meseta/wire';
import type { AgentNode } from '../nodes/agent.js';
import { requestOnTheWire } from '../nodes/http.js';
import type { World } from '../world.js';
import { addressOfPlace, type Cluster } from './cluster.js';
import type { Fault, OperatorAction } from './plan.js';

export function scheduleFaults(cluster: Cluster): void {
  const { world, plan } = cluster;
  for (const fault of plan.faults.values()) {
    world.timeline.at(fault.atMs, () => {
      const { atMs: _, ...shown } = fault;
      world.journal.record('faults', fault.kind, shown);
      if (strike(cluster, fault)) world.count(`fault: ${nameOf(fault)}`);
    });
  }
}

const nameOf = (fault: Fault): string =>
  fault.kind === 'operator'
    ? `operator ${fault.action.kind}`
    : fault.kind === 'cut'
      ? `cut ${fault.ways === 'both' ? 'both ways' : 'one way'}`
      : fault.kind;

/** Everything works again, and frameworks ask for nothing new. */
export function healAll(cluster: Cluster): void {
  const { world, masters, agents, frameworks } = cluster;
  for (let ms = 0; ms < 300_000; ms += 60_000) world.timeline.after(ms, () => bringUp(cluster));
  world.journal.record('faults', 'all is healed');
  world.network.options = { meanDelayMs: 1, breakChance: 0, stallChance: 0, repeatChance: 0, unacknowledgedMs: 20_000 };
  world.network.healAll();
  for (const agent of agents.values()) {
    agent.disk.meanSyncMs = 2;
    agent.disk.onNextWrite = undefined;
    agent.diskFullUntilMs = 0;
  }
  cluster.refused.clear();
  masters.store.meanWriteMs = 5;
  masters.store.onNextWrite = undefined;
  for (const framework of frameworks.values()) framework.calm();
}

/** The operator's part after a storm: machines that are down for maintenance come up, whenever there is a leader to tell. */
function bringUp(cluster: Cluster): void {
  const machines = cluster.masters.leader()?.core.state.registrar.durable.machines.values() ?? [];
  for (const { id, mode } of machines) {
    if (mode === 'DOWN') askLeader(cluster, { type: 'STOP_MAINTENANCE', stop_maintenance: { machines: [id] } });
  }
}

/**
 * The operator's part while the cluster comes to rest: tears down recovered frameworks whose schedulers began anew. A
 * master forgets at its failover which frameworks were removed, so an agent that did not receive the removal brings
 * one back, whenever the agent itself comes back. Such a framework has no scheduler and no failover timer.
 */
export function tearDownForgotten(cluster: Cluster): void {
  const ended = new Set([...cluster.frameworks.values()].flatMap(({ memory }) => memory.ended));
  for (const { id, status } of cluster.masters.leader()?.core.state.frameworks.values() ?? []) {
    if (status !== 'recovered' || !ended.has(id)) continue;
    askLeader(cluster, tearDown(id));
    cluster.world.count('recovered frameworks torn down');
  }
  cluster.world.timeline.after(TEAR_DOWN_INTERVAL_MS, () => tearDownForgotten(cluster));
}

const TEAR_DOWN_INTERVAL_MS = 30_000;

/** False: what it would strike is down, or not there. */
function strike(cluster: Cluster, fault: Fault): boolean {
  const { world, masters, agents } = cluster;
  const { timeline } = world;
  const agent = 'agent' in fault ? agents.get(fault.agent) : undefined;
  const master = 'master' in fault ? masters.struck(fault.master) : -1;
  const machine = masters.machines[master] ?? agent?.machine;
  const runs = agent === undefined ? masters.running().some((it) => it.machine === machine) : agent.core !== undefined;
  switch (fault.kind) {
    case 'killAgent':
    case 'powerOffAgent': {
      if (agent === undefined) return false;
      const how = fault.kind === 'killAgent' ? 'killed' : 'powerOff';
      crash(cluster, fault.atWrite ? agent.disk : undefined, () => agent.crash(how, fault.downMs));
      return runs;
    }
    case 'resizeAgent': {
      if (agent === undefined) return false;
      // Without a reboot it may only grow, or it would refuse to start.
      const { size } = agent;
      agent.size = fault.reboot
        ? fault.size
        : {
            cpus: Math.max(size.cpus, fault.size.cpus),
            mem: Math.max(size.mem, fault.size.mem),
            disk: Math.max(size.disk, fault.size.disk),
          };
      agent.crash(fault.reboot ? 'powerOff' : 'killed', 3_000);
      return runs;
    }
    case 'pauseAgent':
    case 'pauseMaster':
      if (machine !== undefined) machine.pausedUntilMs = Math.max(machine.pausedUntilMs, timeline.nowMs() + fault.ms);
      return runs;
    case 'skewAgent':
    case 'skewMaster':
      if (machine !== undefined) machine.wallOffsetMs = fault.offsetMs;
      return runs;
    case 'slowDisk':
      if (agent === undefined) return false;
      agent.disk.meanSyncMs = 2_000;
      timeline.after(fault.ms, () => {
        agent.disk.meanSyncMs = 2;
      });
      return runs;
    case 'fullDisk':
      if (agent === undefined) return false;
      fillDisk(world, agent, fault.ms);
      return runs;
    case 'refuse':
      refuse(cluster, fault);
      return true;
    case 'slowRegistry':
      masters.store.meanWriteMs = 2_000;
      timeline.after(fault.ms, () => {
        masters.store.meanWriteMs = 5;
      });
      return true;
    case 'leave':
      agent?.push({ kind: 'leave', message: 'the operator asked for it' });
      return runs;
    case 'killMaster':
    case 'powerOffMaster': {
      const how = fault.kind === 'killMaster' ? 'reset' : 'silent';
      crash(cluster, fault.atWrite ? masters.store : undefined, () => masters.crash(master, how, fault.downMs));
      return runs;
    }
    case 'cut':
      return cut(cluster, fault);
    case 'break': {
      const [a, b] = [addressOfPlace(cluster, fault.a), addressOfPlace(cluster, fault.b)];
      return a !== undefined && b !== undefined && world.network.breakConnections(a, b) > 0;
    }
    case 'operator':
      return operate(cluster, fault.action);
  }
}

function fillDisk({ timeline }: World, agent: AgentNode, ms: number): void {
  agent.diskFullUntilMs = Math.max(agent.diskFullUntilMs, timeline.nowMs() + ms);
}

function refuse({ world, refused }: Cluster, { actions, ms }: Extract<Fault, { readonly kind: 'refuse' }>): void {
  const add = (by: number): void => {
    for (const action of actions) {
      const times = (refused.get(action) ?? 0) + by;
      if (times > 0) refused.set(action, times);
      else refused.delete(action);
    }
  };
  add(1);
  world.timeline.after(ms, () => add(-1));
}

/** At once, or right after the next write, which is then on its way to the disk. */
function crash({ world }: Cluster, disk: { onNextWrite: (() => void) | undefined } | undefined, now: () => void): void {
  if (disk === undefined) now();
  else disk.onNextWrite = () => void world.timeline.after(0, now);
}

function cut(cluster: Cluster, fault: Extract<Fault, { readonly kind: 'cut' }>): boolean {
  const { network, timeline } = cluster.world;
  const [a, b] = [addressOfPlace(cluster, fault.a), addressOfPlace(cluster, fault.b)];
  if (a === undefined || b === undefined || a === b) return false;
  const ways: (readonly [string, string])[] = [];
  if (fault.ways !== 'back') ways.push([a, b]);
  if (fault.ways !== 'forth') ways.push([b, a]);
  for (const [from, to] of ways) {
    network.cut(from, to);
    timeline.after(fault.ms, () => network.heal(from, to));
  }
  return true;
}

const OPERATOR_ADDRESS = '10.0.4.1:9000';

function operate(cluster: Cluster, action: OperatorAction): boolean {
  if (action.kind === 'takeDown') {
    const machines = [machineOf(cluster, action.agent)].filter((it) => it !== undefined);
    const call: MasterCall = { type: 'START_MAINTENANCE', start_maintenance: { machines } };
    cluster.world.timeline.after(3_000, () => askLeader(cluster, call));
  }
  const calls = callsOf(cluster, action);
  for (const call of calls) askLeader(cluster, call);
  return calls.length > 0 && cluster.masters.leader() !== undefined;
}

/** The operator asks whoever leads, once, and doesn't wait. */
function askLeader({ world, masters }: Cluster, call: MasterCall): void {
  const leader = masters.leader();
  if (leader === undefined) return;
  const end = world.network.connect(OPERATOR_ADDRESS, leader.machine.address, 'http', {
    data: (answer) => world.journal.record('operator', 'hears', answer),
    ended: () => {},
  });
  end.write(requestOnTheWire({ kind: 'operatorCall', call }, world.encoded));
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
    case 'drain':
      return [
        {
          type: 'DRAIN_AGENT',
          drain_agent: {
            agent_id,
            max_grace_period: { seconds: 2 },
            ...(action.markGone ? { mark_gone: true } : {}),
          },
        },
      ];
    case 'deactivate':
      return [{ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } }];
    case 'reactivate':
      return [{ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } }];
    case 'markGone':
      return [{ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } }];
    case 'quota':
      return [{ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs: [quotaOf(action)] } }];
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

const quotaOf = (action: Extract<OperatorAction, { readonly kind: 'quota' }>): QuotaConfig => ({
  role: action.role,
  guarantees: { cpus: { value: action.guaranteeCpus } },
  limits: { cpus: { value: action.limitCpus } },
});

function machineOf({ agents }: Cluster, index: number): MachineID | undefined {
  const machine = agents.get(index)?.machine;
  return machine === undefined ? undefined : { hostname: machine.name, ip: machine.address.split(':')[0] ?? '' };
}

/** One schedule: machines that are down stay in it. */
function maintenanceCalls(cluster: Cluster, index: number): readonly MasterCall[] {
  const { masters, world } = cluster;
  const id = machineOf(cluster, index);
  if (id === undefined) return [];
  const down = [...(masters.leader()?.core.state.registrar.durable.machines.values() ?? [])]
    .filter((it) => it.mode === 'DOWN' && it.id.hostname !== id.hostname)
    .map((it) => it.id);
  const start = { nanoseconds: BigInt(Math.round(world.timeline.nowMs() + 1.7e12)) * 1_000_000n };
  return [
    {
      type: 'UPDATE_MAINTENANCE_SCHEDULE',
      update_maintenance_schedule: {
        schedule: { windows: [{ machine_ids: [id, ...down], unavailability: { start } }] },
      },
    },
  ];
}
