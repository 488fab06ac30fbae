// Agents in the registry: admission, removal, and marking as unreachable or gone.
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
      'It unregistered, its machine went down for maintenance, or an agent with another id registered from its address.',
    'a gone agent never returns': 'While the registry has its entry.',
    'an agent is registered only after its admission is durable': 'The master confirms no registration before.',
    'an agent that answers is not marked unreachable': 'It missed its pings, or its timeout to re-register has passed.',
  },
  allowances: {
    withdrawn: 'An id that no agent received may be removed: the agent re-registered with its former id.',
  },
  create: createRegistryChecker,
};

/** The agents as the writes of the registry and the messages of the newest master show them. */
interface RegistryView {
  readonly admitted: Set<string>;
  readonly unreachable: Set<string>;
  readonly gone: Set<string>;
  /** Ids that may be removed. */
  readonly leaving: Set<string>;
  /** When the newest master last received a pong or a registration of an agent, by its address. */
  readonly lastMessageMs: Map<string, number>;
  /** The IP address from which an agent was last registered, by id. */
  readonly ipAddresses: Map<string, string>;
  /** IP addresses of machines that are down for maintenance. */
  readonly down: Set<string>;
  /** Ids that the newest master has decided to mark unreachable. */
  readonly marked: Set<string>;
  /** When the newest master last lost the connection to an agent, by its address. */
  readonly disconnectedMs: Map<string, number>;
  /** When the newest master started. */
  startedMs: number;
  newest: MasterProcess | undefined;
}

function createRegistryChecker(cluster: Cluster, count: Count): Checker {
  const view: RegistryView = {
    admitted: new Set(),
    unreachable: new Set(),
    gone: new Set(),
    leaving: new Set(),
    lastMessageMs: new Map(),
    ipAddresses: new Map(),
    down: new Set(),
    marked: new Set(),
    disconnectedMs: new Map(),
    startedMs: 0,
    newest: undefined,
  };
  const observer: Observer = {
    masterStarted(master) {
      view.newest = master;
      view.startedMs = cluster.world.timeline.nowMs();
      view.lastMessageMs.clear();
      view.marked.clear();
      view.disconnectedMs.clear();
    },
    registryWritten(operations) {
      for (const operation of operations) {
        applyOperation(cluster, view, operation);
        count('registry operations');
      }
    },
    masterStepped(master, input, effects) {
      // A deposed master may still run; its writes are fenced.
      if (master !== view.newest) return;
      const nowMs = cluster.world.timeline.nowMs();
      if (input.kind === 'peerLost') view.disconnectedMs.set(input.address, nowMs);
      if (input.kind === 'message') {
        const { name, body } = input.message;
        if (name === 'UnregisterAgentMessage') view.leaving.add(body.agent_id.value);
        // A RegisterAgentMessage may be a retry: the master answers it, but it does not count as a pong.
        if (name === 'PongAgentMessage' || name === 'ReregisterAgentMessage') {
          view.lastMessageMs.set(addressOfPid(input.from), nowMs);
        }
        if (name === 'RegisterAgentMessage' || name === 'ReregisterAgentMessage') {
          // This agent replaces the one that was registered at the address before.
          for (const agent of master.core.state.agents.registered.values()) {
            if (agent.pid === input.from && agent.id !== body.agent.id?.value) view.leaving.add(agent.id);
          }
        }
      }
      for (const effect of effects) {
        const added = effect.kind === 'note' && effect.note.kind === 'agentAdded' ? effect.note.agentId : undefined;
        const agent = added === undefined ? undefined : master.core.state.agents.registered.get(added);
        if (agent !== undefined) view.lastMessageMs.set(addressOfPid(agent.pid), nowMs);
        checkAdmitted(cluster, view, master, effect);
      }
      for (const [agentId, transition] of master.core.state.agents.transitions) {
        if (transition !== 'markingUnreachable' || view.marked.has(agentId)) continue;
        // Checked when the master decides: the write may take long.
        view.marked.add(agentId);
        checkSilence(cluster, view, master, agentId);
        count('agents marked unreachable');
      }
    },
  };
  return { observer };
}

const agentOf = (operation: RegistryOperation): string | undefined =>
  'agentId' in operation ? operation.agentId : undefined;

function applyOperation({ world }: Cluster, view: RegistryView, operation: RegistryOperation): void {
  if (operation.kind === 'pruneAgents') for (const id of operation.gone) view.gone.delete(id);
  if (operation.kind === 'startMaintenance') for (const { ip } of operation.machines) view.down.add(ip ?? '');
  if (operation.kind === 'stopMaintenance') for (const { ip } of operation.machines) view.down.delete(ip ?? '');
  const agentId = agentOf(operation);
  if (agentId === undefined) return;
  const { kind } = operation;
  if (view.gone.has(agentId) && kind !== 'markAgentGone') {
    world.fail('a gone agent never returns', `${kind} of ${agentId}`, [agentId]);
  }
  switch (kind) {
    case 'admitAgent':
    case 'markAgentReachable':
      view.admitted.add(agentId);
      view.marked.delete(agentId);
      view.unreachable.delete(agentId);
      return;
    case 'markAgentUnreachable':
      view.admitted.delete(agentId);
      view.unreachable.add(agentId);
      return;
    case 'markAgentGone':
      view.admitted.delete(agentId);
      view.unreachable.delete(agentId);
      view.gone.add(agentId);
      return;
    case 'removeAgent': {
      const ip = view.ipAddresses.get(agentId);
      if (ip !== undefined && !view.leaving.has(agentId) && !view.down.has(ip)) {
        world.fail('an agent leaves the registry only for a reason', `agent ${agentId} was removed`, [agentId]);
      }
      view.admitted.delete(agentId);
      view.leaving.delete(agentId);
      return;
    }
    default:
      return;
  }
}

function checkAdmitted(cluster: Cluster, view: RegistryView, master: MasterProcess, effect: MasterEffect): void {
  const { world } = cluster;
  if (effect.kind === 'send') {
    const { name, body } = effect.message;
    if (name !== 'AgentRegisteredMessage' && name !== 'AgentReregisteredMessage') return;
    const agentId = body.agent_id.value;
    for (const pid of effect.to) view.ipAddresses.set(agentId, addressOfPid(pid).split(':')[0] ?? '');
    if (view.admitted.has(agentId)) return;
    world.fail('an agent is registered only after its admission is durable', `${master.name}: ${agentId}`, [agentId]);
  }
}

/** For clocks that run faster than the virtual time, and the delay of a pong. */
const SLACK = 0.95;

function checkSilence({ world, plan }: Cluster, view: RegistryView, master: MasterProcess, agentId: string): void {
  const nowMs = world.timeline.nowMs();
  const agent = master.core.state.agents.registered.get(agentId as AgentId);
  const address = agent === undefined ? undefined : addressOfPid(agent.pid);
  // Another agent has registered at its address: the pongs are from that one.
  if (agent !== undefined && master.core.state.agents.byPid.get(agent.pid) !== agent.id) return;
  const lastMessageMs = (address === undefined ? undefined : view.lastMessageMs.get(address)) ?? view.startedMs;
  const disconnectedMs = address === undefined ? undefined : view.disconnectedMs.get(address);
  const silentForMs = nowMs - lastMessageMs;
  const disconnectedForMs = nowMs - (agent === undefined ? view.startedMs : (disconnectedMs ?? nowMs));
  if (silentForMs >= plan.pingTimeoutMs * (plan.pings - 1) * SLACK) return;
  if (disconnectedForMs >= plan.reregisterTimeoutMs * SLACK) return;
  const text = `${agentId} after ${silentForMs} ms without a message and ${disconnectedForMs} ms without a connection`;
  world.fail('an agent that answers is not marked unreachable', `${master.name}: ${text}`, [agentId]);
}
