// Agents in the registry.
import { type AgentId, addressOfPid } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const registry: CheckerKind = {
  name: 'registry',
  invariants: {
    'an agent leaves the registry only for a reason':
      'It unregistered, its machine went down, or it came back with another id from the same address.',
    'a gone agent never returns': 'While the registry has its entry.',
    'an agent is registered only after its admission is durable': 'No agent is sent its registration before.',
    'an agent that answers is not marked unreachable': 'It missed its pings, or its time to re-register is over.',
  },
  allowances: {
    withdrawn: 'An id that was sent to no agent may be removed: its agent came back with its own id.',
  },
  create: createRegistryChecker,
};

interface Known {
  readonly admitted: Set<string>;
  readonly unreachable: Set<string>;
  readonly gone: Set<string>;
  /** Ids that may be removed. */
  readonly leaving: Set<string>;
  /** When the leader last heard a pong or a registration of an agent, by its address. */
  readonly heardMs: Map<string, number>;
  /** The hosts that agents were last registered from, by id. */
  readonly hosts: Map<string, string>;
  /** Hosts that are down for maintenance. */
  readonly down: Set<string>;
  /** Ids that the leader is marking unreachable, or has. */
  readonly marked: Set<string>;
  /** When an agent was last seen disconnected by a master. */
  readonly lostMs: Map<string, number>;
  startedMs: number;
  newest: MasterProcess | undefined;
}

function createRegistryChecker(cluster: Cluster, count: Count): Checker {
  const known: Known = {
    admitted: new Set(),
    unreachable: new Set(),
    gone: new Set(),
    leaving: new Set(),
    heardMs: new Map(),
    hosts: new Map(),
    down: new Set(),
    marked: new Set(),
    lostMs: new Map(),
    startedMs: 0,
    newest: undefined,
  };
  const observer: Observer = {
    masterStarted(master) {
      known.newest = master;
      known.startedMs = cluster.world.timeline.nowMs();
      known.heardMs.clear();
      known.marked.clear();
      known.lostMs.clear();
    },
    registryWritten(operations) {
      for (const operation of operations) {
        written(cluster, known, operation);
        count('registry operations');
      }
    },
    masterStepped(master, input, effects) {
      // An older one doesn't know yet that it leads no more; what it writes is fenced.
      if (master !== known.newest) return;
      const nowMs = cluster.world.timeline.nowMs();
      if (input.kind === 'peerLost') known.lostMs.set(input.address, nowMs);
      if (input.kind === 'message') {
        const { name, body } = input.message;
        if (name === 'UnregisterAgentMessage') known.leaving.add(body.agent_id.value);
        // A registration that is repeated is answered again, but it is no pong.
        if (name === 'PongAgentMessage' || name === 'ReregisterAgentMessage') {
          known.heardMs.set(addressOfPid(input.from), nowMs);
        }
        if (name === 'RegisterAgentMessage' || name === 'ReregisterAgentMessage') {
          // Whoever had this address before is not coming back.
          for (const agent of master.core.state.agents.registered.values()) {
            if (agent.pid === input.from && agent.id !== body.agent.id?.value) known.leaving.add(agent.id);
          }
        }
      }
      for (const effect of effects) {
        const added = effect.kind === 'note' && effect.note.kind === 'agentAdded' ? effect.note.agentId : undefined;
        const agent = added === undefined ? undefined : master.core.state.agents.registered.get(added);
        if (agent !== undefined) known.heardMs.set(addressOfPid(agent.pid), nowMs);
        inspect(cluster, known, master, effect);
      }
      for (const [agentId, transition] of master.core.state.agents.transitions) {
        if (transition !== 'markingUnreachable' || known.marked.has(agentId)) continue;
        // Decided; the registry may take its time.
        known.marked.add(agentId);
        checkSilence(cluster, known, master, agentId);
        count('agents marked unreachable');
      }
    },
  };
  return { observer };
}

const agentOf = (operation: RegistryOperation): string | undefined =>
  'agentId' in operation ? operation.agentId : undefined;

function written({ world }: Cluster, known: Known, operation: RegistryOperation): void {
  if (operation.kind === 'pruneAgents') for (const id of operation.gone) known.gone.delete(id);
  if (operation.kind === 'startMaintenance') for (const { ip } of operation.machines) known.down.add(ip ?? '');
  if (operation.kind === 'stopMaintenance') for (const { ip } of operation.machines) known.down.delete(ip ?? '');
  const agentId = agentOf(operation);
  if (agentId === undefined) return;
  const { kind } = operation;
  if (known.gone.has(agentId) && kind !== 'markAgentGone') {
    world.fail('a gone agent never returns', `${kind} of ${agentId}`, [agentId]);
  }
  switch (kind) {
    case 'admitAgent':
    case 'markAgentReachable':
      known.admitted.add(agentId);
      known.marked.delete(agentId);
      known.unreachable.delete(agentId);
      return;
    case 'markAgentUnreachable':
      known.admitted.delete(agentId);
      known.unreachable.add(agentId);
      return;
    case 'markAgentGone':
      known.admitted.delete(agentId);
      known.unreachable.delete(agentId);
      known.gone.add(agentId);
      return;
    case 'removeAgent':
      if (known.hosts.has(agentId) && !known.leaving.has(agentId) && !known.down.has(known.hosts.get(agentId) ?? '')) {
        world.fail('an agent leaves the registry only for a reason', `agent ${agentId} was removed`, [agentId]);
      }
      known.admitted.delete(agentId);
      known.leaving.delete(agentId);
      return;
    default:
      return;
  }
}

function inspect(cluster: Cluster, known: Known, master: MasterProcess, effect: MasterEffect): void {
  const { world } = cluster;
  if (effect.kind === 'send') {
    const { name, body } = effect.message;
    if (name !== 'AgentRegisteredMessage' && name !== 'AgentReregisteredMessage') return;
    const agentId = body.agent_id.value;
    for (const pid of effect.to) known.hosts.set(agentId, addressOfPid(pid).split(':')[0] ?? '');
    if (known.admitted.has(agentId)) return;
    world.fail('an agent is registered only after its admission is durable', `${master.name}: ${agentId}`, [agentId]);
  }
}

/** Clocks that run a little fast, and the time that a pong takes. */
const SLACK = 0.95;

function checkSilence({ world, plan }: Cluster, known: Known, master: MasterProcess, agentId: string): void {
  const nowMs = world.timeline.nowMs();
  const agent = master.core.state.agents.registered.get(agentId as AgentId);
  const address = agent === undefined ? undefined : addressOfPid(agent.pid);
  // replaced: another agent lives at its address now, and it is that one which answers.
  if (agent !== undefined && master.core.state.agents.byPid.get(agent.pid) !== agent.id) return;
  const heardMs = (address === undefined ? undefined : known.heardMs.get(address)) ?? known.startedMs;
  const lostMs = address === undefined ? undefined : known.lostMs.get(address);
  const silentFor = nowMs - heardMs;
  const awayFor = nowMs - (agent === undefined ? known.startedMs : (lostMs ?? nowMs));
  if (silentFor >= plan.pingTimeoutMs * (plan.pings - 1) * SLACK) return;
  if (awayFor >= plan.reregisterTimeoutMs * SLACK) return;
  const text = `${agentId} after ${silentFor} ms of silence, ${awayFor} ms away`;
  world.fail('an agent that answers is not marked unreachable', `${master.name}: ${text}`, [agentId]);
}
