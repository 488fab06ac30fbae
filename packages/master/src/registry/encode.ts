// The registry's operations and its whole contents as text for the store, and back.
// JSON, in which an int64 that needs more than 53 bits is `{"int64": "..."}`. One line an entry, so that a snapshot
// is written and read in pieces.
import { type AgentId, assert } from '@meseta/base';
import type { MachineInfo, MaintenanceSchedule, MasterInfo, QuotaConfig } from '@meseta/wire';
import { applyToRegistry, type RegistryOperation } from './operations.js';
import {
  emptyRegistry,
  machineKey,
  type RegistryAgentRecord,
  type RegistryState,
  type RegistryUnreachableRecord,
} from './state.js';

type Line =
  | readonly ['master', MasterInfo]
  | readonly ['agent', AgentId, RegistryAgentRecord]
  | readonly ['unreachable', AgentId, RegistryUnreachableRecord]
  | readonly ['gone', AgentId, number]
  | readonly ['machine', MachineInfo]
  | readonly ['schedule', MaintenanceSchedule]
  | readonly ['quota', QuotaConfig]
  | readonly ['weight', string, number]
  | readonly ['minimumCapability', string];

const exact = (_: string, field: unknown): unknown => (typeof field === 'bigint' ? { int64: field.toString() } : field);

const isExact = (field: unknown): field is { readonly int64: string } =>
  typeof field === 'object' && field !== null && 'int64' in field && typeof field.int64 === 'string';

const unwrap = (_: string, field: unknown): unknown => (isExact(field) ? BigInt(field.int64) : field);

/** Few records hold such an integer, and a function that sees every field costs several times the rest. */
function write(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof TypeError) return JSON.stringify(value, exact);
    throw cause;
  }
}

const read = (text: string): unknown =>
  text.includes('"int64":') ? JSON.parse(text, unwrap) : (JSON.parse(text) as unknown);

/** One batch for `Store.append`. */
export const encodeOperations = (operations: readonly RegistryOperation[]): string => operations.map(write).join('\n');

export const decodeOperations = (text: string): readonly RegistryOperation[] =>
  text.split('\n').map((line) => read(line) as RegistryOperation);

/** The lines of a snapshot, each ended by a newline. */
export function* encodeRegistry(registry: RegistryState): Generator<string> {
  for (const line of linesOf(registry)) yield `${write(line)}\n`;
}

function* linesOf(registry: RegistryState): Generator<Line> {
  if (registry.master !== undefined) yield ['master', registry.master];
  for (const [id, record] of registry.agents) yield ['agent', id, record];
  for (const [id, record] of registry.unreachable) yield ['unreachable', id, record];
  for (const [id, since] of registry.gone) yield ['gone', id, since];
  for (const machine of registry.machines.values()) yield ['machine', machine];
  for (const schedule of registry.schedules) yield ['schedule', schedule];
  for (const quota of registry.quotas.values()) yield ['quota', quota];
  for (const [role, weight] of registry.weights) yield ['weight', role, weight];
  for (const capability of registry.minimumCapabilities) yield ['minimumCapability', capability];
}

/** What a store holds: its last snapshot, if any, and the batches after it. */
export function decodeRegistry(snapshot: string | undefined, batches: readonly string[]): RegistryState {
  const registry = emptyRegistry();
  for (const line of snapshot?.split('\n') ?? []) if (line !== '') readLine(registry, read(line) as Line);
  for (const batch of batches) {
    for (const operation of decodeOperations(batch)) {
      const applied = applyToRegistry(registry, operation);
      assert(applied.ok, `the registry's log does not fit: ${applied.ok ? '' : applied.error}`);
    }
  }
  return registry;
}

function readLine(registry: RegistryState, line: Line): void {
  switch (line[0]) {
    case 'master':
      registry.master = line[1];
      break;
    case 'agent':
      registry.agents.set(line[1], line[2]);
      break;
    case 'unreachable':
      registry.unreachable.set(line[1], line[2]);
      break;
    case 'gone':
      registry.gone.set(line[1], line[2]);
      break;
    case 'machine':
      registry.machines.set(machineKey(line[1].id), line[1]);
      break;
    case 'schedule':
      registry.schedules = [...registry.schedules, line[1]];
      break;
    case 'quota':
      registry.quotas.set(line[1].role, line[1]);
      break;
    case 'weight':
      registry.weights.set(line[1], line[2]);
      break;
    case 'minimumCapability':
      registry.minimumCapabilities.add(line[1]);
      break;
  }
}
