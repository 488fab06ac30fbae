// The contents of the registry, computed from its writes without the registry's own code. Checkers compare a master's state
// with these records.
//
// Owns: one set of records for the store, and one for each master with the changes that it knows to be durable.
// Boundary: plain data in, plain data out; `apply` knows the kinds of operations and nothing of a master's state.
// RECORDS-1: a master's records are those of the store at its election, and its own appends that were answered since.
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import type { MachineID, QuotaConfig } from '@meseta/wire';
import type { MasterProcess } from '../nodes/master.js';
import type { Observer } from '../world.js';

export interface AgentEntry {
  readonly deactivated: boolean;
  readonly drain: 'DRAINING' | 'DRAINED' | undefined;
}

export interface Records {
  readonly agents: Map<string, AgentEntry>;
  readonly unreachable: Map<string, AgentEntry>;
  readonly gone: Set<string>;
  readonly quotas: Map<string, QuotaConfig>;
  readonly weights: Map<string, number>;
  /** By `machineName`. */
  readonly machines: Map<string, 'DRAINING' | 'DOWN'>;
}

const emptyRecords = (): Records => ({
  agents: new Map(),
  unreachable: new Map(),
  gone: new Set(),
  quotas: new Map(),
  weights: new Map(),
  machines: new Map(),
});

const copyOf = (records: Records): Records => ({
  agents: new Map(records.agents),
  unreachable: new Map(records.unreachable),
  gone: new Set(records.gone),
  quotas: new Map(records.quotas),
  weights: new Map(records.weights),
  machines: new Map(records.machines),
});

export const machineName = ({ hostname = '', ip = '' }: MachineID): string => `${hostname.toLowerCase()} ${ip}`;

const ACTIVE: AgentEntry = { deactivated: false, drain: undefined };

function updateAgentEntry(records: Records, agentId: string, update: (entry: AgentEntry) => AgentEntry): void {
  for (const map of [records.agents, records.unreachable]) {
    const entry = map.get(agentId);
    if (entry !== undefined) map.set(agentId, update(entry));
  }
}

function apply(records: Records, operation: RegistryOperation): void {
  const { agents, unreachable, gone, quotas, weights, machines } = records;
  switch (operation.kind) {
    case 'admitAgent':
      agents.set(operation.agentId, ACTIVE);
      return;
    case 'markAgentReachable':
      agents.set(operation.agentId, unreachable.get(operation.agentId) ?? agents.get(operation.agentId) ?? ACTIVE);
      unreachable.delete(operation.agentId);
      return;
    case 'markAgentUnreachable':
      unreachable.set(operation.agentId, agents.get(operation.agentId) ?? ACTIVE);
      agents.delete(operation.agentId);
      return;
    case 'markAgentGone':
      agents.delete(operation.agentId);
      unreachable.delete(operation.agentId);
      gone.add(operation.agentId);
      return;
    case 'removeAgent':
      agents.delete(operation.agentId);
      unreachable.delete(operation.agentId);
      return;
    case 'pruneAgents':
      for (const id of operation.unreachable) unreachable.delete(id);
      for (const id of operation.gone) gone.delete(id);
      return;
    case 'deactivateAgent':
      return updateAgentEntry(records, operation.agentId, (entry) => ({ ...entry, deactivated: true }));
    case 'drainAgent':
      return updateAgentEntry(records, operation.agentId, () => ({ deactivated: true, drain: 'DRAINING' }));
    case 'markAgentDrained':
      return updateAgentEntry(records, operation.agentId, () => ({ deactivated: true, drain: 'DRAINED' }));
    case 'reactivateAgent':
      return updateAgentEntry(records, operation.agentId, () => ACTIVE);
    case 'updateQuota':
      for (const config of operation.configs) {
        if (Object.keys({ ...config.guarantees, ...config.limits }).length === 0) quotas.delete(config.role);
        else quotas.set(config.role, config);
      }
      return;
    case 'updateWeights':
      for (const { role, weight } of operation.weights) weights.set(role, weight);
      return;
    case 'updateMaintenance': {
      const listed = (operation.schedule.windows ?? []).flatMap(({ machine_ids = [] }) => machine_ids.map(machineName));
      for (const name of [...machines.keys()]) if (!listed.includes(name)) machines.delete(name);
      for (const name of listed) machines.set(name, machines.get(name) ?? 'DRAINING');
      return;
    }
    case 'startMaintenance':
      for (const id of operation.machines) machines.set(machineName(id), 'DOWN');
      return;
    case 'stopMaintenance':
      for (const id of operation.machines) machines.delete(machineName(id));
      return;
    case 'recordMaster':
    case 'updateAgent':
      return;
  }
}

export interface RecordKeeper {
  /** Must be notified before the checkers that read the records. */
  readonly observer: Observer;
  /** Of the store. */
  readonly durable: Records;
  /** Every operation that was written, in order. */
  readonly written: readonly RegistryOperation[];
  /** The changes that this master knows to be durable (RECORDS-1). */
  of(master: MasterProcess): Records;
}

interface Ledger {
  readonly records: Records;
  /** Appended and not yet answered, oldest first. */
  readonly pending: (readonly RegistryOperation[])[];
}

export function createRecordKeeper(): RecordKeeper {
  const durable = emptyRecords();
  const written: RegistryOperation[] = [];
  const ledgers = new Map<MasterProcess, Ledger>();
  const ledgerOf = (master: MasterProcess): Ledger => {
    const ledger = ledgers.get(master) ?? { records: copyOf(durable), pending: [] };
    ledgers.set(master, ledger);
    return ledger;
  };
  return {
    durable,
    written,
    of: (master) => ledgerOf(master).records,
    observer: {
      registryWritten(operations) {
        for (const operation of operations) {
          apply(durable, operation);
          written.push(operation);
        }
      },
      masterStarted: (master) => void ledgerOf(master),
      beforeMasterStep(master, input: MasterInput) {
        if (input.kind !== 'persisted') return;
        const { records, pending } = ledgerOf(master);
        for (const operation of pending.shift() ?? []) apply(records, operation);
      },
      masterStepped(master, _input, effects: readonly MasterEffect[]) {
        const { pending } = ledgerOf(master);
        for (const effect of effects) if (effect.kind === 'persist') pending.push(effect.operations);
      },
    },
  };
}
