// Operators' calls, and the leading master's state compared with the registry.
import type { RequestId } from '@meseta/master/core/io';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import type { MasterCall } from '@meseta/wire';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { machineName, type RecordKeeper, type Records } from './records.js';

export const operators: CheckerKind = {
  name: 'operators',
  invariants: {
    'an operator is answered 200 only after the change is durable':
      'The store has a write with the change that the call requests.',
    'every operator call is answered': 'At the end, if the master that received it still leads.',
    'the leader agrees with the registry':
      'At the end its agents, quotas, weights and machines are those of the records.',
  },
  allowances: {
    deposedMaster:
      'A master that has not learned yet that another one leads answers 200 to a call whose change is in effect in its own records.',
  },
  create: createOperatorsChecker,
};

interface PendingCall {
  readonly call: MasterCall;
  /** The requested change was in effect when the call arrived. */
  readonly wasInEffect: boolean;
  /** How many operations had been written when the call arrived. */
  readonly writtenBefore: number;
}

function createOperatorsChecker(cluster: Cluster, count: Count, keeper: RecordKeeper): Checker {
  const { world, masters } = cluster;
  const pending = new Map<MasterProcess, Map<RequestId, PendingCall>>();
  return {
    observer: {
      masterStarted: (master) => void pending.set(master, new Map()),
      beforeMasterStep(master, input) {
        if (input.kind !== 'operatorCall') return;
        const { call, request } = input;
        const writtenBefore = keeper.written.length;
        pending.get(master)?.set(request, { call, wasInEffect: isInEffect(keeper.durable, call), writtenBefore });
      },
      masterStepped(master, _input, effects) {
        for (const effect of effects) {
          if (effect.kind !== 'reply') continue;
          const request = pending.get(master)?.get(effect.request);
          if (request === undefined) continue;
          pending.get(master)?.delete(effect.request);
          count(`answers to operators: ${effect.reply.status}`);
          if (effect.reply.status !== 200 || !changesRegistry(request.call) || masters.leader() !== master) continue;
          const since = keeper.written.slice(request.writtenBefore);
          if (request.wasInEffect || since.some((operation) => performs(operation, request.call))) continue;
          const text = `${master.name}: ${request.call.type} was answered 200, and the change is not written`;
          world.fail('an operator is answered 200 only after the change is durable', text);
        }
      },
    },
    checkQuiescence() {
      const leader = masters.leader();
      if (leader === undefined) return;
      for (const { call } of pending.get(leader)?.values() ?? []) {
        world.fail('every operator call is answered', `${leader.name}: ${call.type}`);
      }
      const difference = differenceOf(leader, keeper.durable);
      if (difference !== undefined) {
        world.fail('the leader agrees with the registry', `${leader.name}: ${difference}`);
      }
    },
  };
}

/** Whether the call changes the registry. */
const changesRegistry = ({ type }: MasterCall): boolean =>
  type !== 'TEARDOWN' && type?.endsWith('_RESOURCES') === false;

const isSame = (a: unknown, b: unknown): boolean => textOf(a) === textOf(b);
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, it) => (typeof it === 'bigint' ? `${it}n` : it)) ?? '';

/** Whether the registry operation makes the change that the call requests. */
function performs(operation: RegistryOperation, call: MasterCall): boolean {
  switch (operation.kind) {
    case 'updateQuota':
      return (call.update_quota?.quota_configs ?? []).every((it) => operation.configs.some((made) => isSame(made, it)));
    case 'updateWeights':
      return (call.update_weights?.weight_infos ?? []).every((it) =>
        operation.weights.some(({ role, weight }) => role === it.role && weight === it.weight),
      );
    case 'updateMaintenance':
      return isSame(operation.schedule, call.update_maintenance_schedule?.schedule);
    case 'startMaintenance':
      return isSame(operation.machines, call.start_maintenance?.machines);
    case 'stopMaintenance':
      return isSame(operation.machines, call.stop_maintenance?.machines);
    // A drained agent is deactivated too.
    case 'drainAgent':
      return operation.agentId === (call.drain_agent ?? call.deactivate_agent)?.agent_id.value;
    case 'deactivateAgent':
      return operation.agentId === call.deactivate_agent?.agent_id.value;
    case 'reactivateAgent':
      return operation.agentId === call.reactivate_agent?.agent_id.value;
    case 'markAgentGone':
      return operation.agentId === call.mark_agent_gone?.agent_id.value;
    default:
      return false;
  }
}

/** Whether the change that the call requests is in effect. */
function isInEffect(records: Records, call: MasterCall): boolean {
  const entry = (id: string | undefined) => records.agents.get(id ?? '') ?? records.unreachable.get(id ?? '');
  switch (call.type) {
    case 'UPDATE_QUOTA':
      return (call.update_quota?.quota_configs ?? []).every((it) => isSame(records.quotas.get(it.role), it));
    case 'UPDATE_WEIGHTS':
      return (call.update_weights?.weight_infos ?? []).every((it) => records.weights.get(it.role ?? '*') === it.weight);
    case 'DEACTIVATE_AGENT':
      return entry(call.deactivate_agent?.agent_id.value)?.deactivated === true;
    case 'REACTIVATE_AGENT':
      return entry(call.reactivate_agent?.agent_id.value)?.deactivated === false;
    case 'MARK_AGENT_GONE':
      return records.gone.has(call.mark_agent_gone?.agent_id.value ?? '');
    default:
      return false;
  }
}

function differenceOf({ core }: MasterProcess, records: Records): string | undefined {
  const { agents, registrar } = core.state;
  const admitted = [...agents.registered.keys(), ...agents.recovered.keys()];
  const flags = [...agents.registered.values()].map((agent) => [agent.id, agent.deactivated, agent.drainInfo?.state]);
  const expectedFlags = [...agents.registered.keys()].map((id) => {
    const entry = records.agents.get(id);
    return [id, entry?.deactivated, entry?.drain];
  });
  const { quotas, weights, machines } = registrar.durable;
  const modes = [...machines.values()].map(({ id, mode }) => `${machineName(id)} ${mode}`);
  const pairs: readonly (readonly [what: string, has: readonly unknown[], expected: readonly unknown[]])[] = [
    ['agents', admitted, [...records.agents.keys()]],
    ['unreachable agents', [...agents.unreachable.keys()], [...records.unreachable.keys()]],
    ['gone agents', [...agents.gone.keys()], [...records.gone]],
    ['deactivated agents', flags, expectedFlags],
    ['quotas', [...quotas.values()], [...records.quotas.values()]],
    ['weights', [...weights], [...records.weights]],
    ['machines', modes, [...records.machines].map(([name, mode]) => `${name} ${mode}`)],
  ];
  for (const [what, has, expected] of pairs) {
    const [left, right] = [has, expected].map((list) => list.map(textOf).sort().join(', '));
    if (left !== right) return `${what}: ${left}, the registry has ${right}`;
  }
  return undefined;
}
