// The registry's operations and its whole contents as text for the store, and back.
// JSON, in which an int64 that needs more than 53 bits is `{"int64": "..."}`. One line an entry, so that a snapshot
// is written and read in pieces.
//
// ENCODE-1: an agent's info stands at the end of its line as the registry holds it (agent-info.ts): it is neither written nor
//     read anew for the store.
// ENCODE-2: a snapshot in this format begins with a line that says so, and an operation in it names its agent before the info.
//     What an earlier version wrote says neither: it is read and its infos are encoded again (AGENT-INFO-1).
import { type AgentId, assert } from '@meseta/base';
import type { AgentInfo, MachineInfo, MaintenanceSchedule, MasterInfo, QuotaConfig } from '@meseta/wire';
import { AgentInfoCodec } from '@meseta/wire/codecs';
import { type EncodedAgentInfo, encodeAgentInfo } from './agent-info.js';
import { applyToRegistry, type RegistryOperation } from './operations.js';
import {
  emptyRegistry,
  machineKey,
  type RegistryAgentRecord,
  type RegistryState,
  type RegistryUnreachableRecord,
} from './state.js';

type Admission = Extract<RegistryOperation, { readonly info: EncodedAgentInfo }>;

/** What is read of a line: an info is an object there. */
type Readable<T> = T extends { readonly info: EncodedAgentInfo } ? Omit<T, 'info'> & { readonly info: AgentInfo } : T;

type Line =
  | readonly ['format', number]
  | readonly ['master', MasterInfo]
  | readonly ['agent', AgentId, Readable<RegistryAgentRecord>]
  | readonly ['unreachable', AgentId, RegistryUnreachableRecord]
  | readonly ['gone', AgentId, number]
  | readonly ['machine', MachineInfo]
  | readonly ['schedule', MaintenanceSchedule]
  | readonly ['quota', QuotaConfig]
  | readonly ['weight', string, number]
  | readonly ['minimumCapability', string];

/** The one in which infos are as agent-info.ts encodes them. */
const FORMAT = 2;

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

/** The object with the info as its last field. */
function withInfo(fields: object, info: EncodedAgentInfo): string {
  const text = write(fields);
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"info":${info}}`;
}

const isAdmission = (operation: RegistryOperation): operation is Admission =>
  operation.kind === 'admitAgent' || operation.kind === 'updateAgent' || operation.kind === 'markAgentReachable';

const writeOperation = (operation: RegistryOperation): string =>
  isAdmission(operation)
    ? withInfo({ kind: operation.kind, agentId: operation.agentId }, operation.info)
    : write(operation);

/** What stands before the info: ENCODE-1. */
const ADMISSION = /^\{"kind":"(admitAgent|updateAgent|markAgentReachable)","agentId":"([^"\\]+)","info":/;

function readOperation(line: string): RegistryOperation {
  const admission = ADMISSION.exec(line);
  if (admission !== null) {
    const [start, kind, agentId] = admission as unknown as readonly [string, Admission['kind'], AgentId];
    return { kind, agentId, info: line.slice(start.length, -1) as EncodedAgentInfo };
  }
  const operation = read(line) as RegistryOperation;
  if (!isAdmission(operation)) return operation;
  const { kind, info } = operation as unknown as { readonly kind: Admission['kind']; readonly info: unknown };
  return { kind, ...encodedAnew(info) };
}

function encodedAnew(json: unknown): { readonly agentId: AgentId; readonly info: EncodedAgentInfo } {
  const info = AgentInfoCodec.read(json);
  assert(info.ok && info.value.id !== undefined, "the registry's log has an agent's info that can't be read");
  return { agentId: info.value.id.value as AgentId, info: encodeAgentInfo(info.value) };
}

/** One batch for `Store.append`. */
export const encodeOperations = (operations: readonly RegistryOperation[]): string =>
  operations.map(writeOperation).join('\n');

const decodeOperations = (text: string): readonly RegistryOperation[] => text.split('\n').map(readOperation);

/** The lines of a snapshot, each ended by a newline. */
export function* encodeRegistry(registry: RegistryState): Generator<string> {
  yield `${write(['format', FORMAT])}\n`;
  if (registry.master !== undefined) yield lineOf(['master', registry.master]);
  for (const [id, { info, ...rest }] of registry.agents) yield `["agent",${write(id)},${withInfo(rest, info)}]\n`;
  for (const [id, record] of registry.unreachable) yield lineOf(['unreachable', id, record]);
  for (const [id, since] of registry.gone) yield lineOf(['gone', id, since]);
  for (const machine of registry.machines.values()) yield lineOf(['machine', machine]);
  for (const schedule of registry.schedules) yield lineOf(['schedule', schedule]);
  for (const quota of registry.quotas.values()) yield lineOf(['quota', quota]);
  for (const [role, weight] of registry.weights) yield lineOf(['weight', role, weight]);
  for (const capability of registry.minimumCapabilities) yield lineOf(['minimumCapability', capability]);
}

const lineOf = (line: Line): string => `${write(line)}\n`;

/** What a store holds: its last snapshot, if any, and the batches after it. */
export function decodeRegistry(snapshot: string | undefined, batches: readonly string[]): RegistryState {
  const registry = emptyRegistry();
  if (snapshot !== undefined) readSnapshot(registry, snapshot);
  for (const batch of batches) {
    for (const operation of decodeOperations(batch)) {
      const applied = applyToRegistry(registry, operation);
      assert(applied.ok, `the registry's log does not fit: ${applied.ok ? '' : applied.error}`);
    }
  }
  return registry;
}

/** The line of an agent of which nothing but its info is kept: ENCODE-1. */
const AGENT = /^\["agent","([^"\\]+)",\{"info":/;

function readSnapshot(registry: RegistryState, snapshot: string): void {
  const isCurrent = snapshot.startsWith(write(['format', FORMAT]));
  for (const line of snapshot.split('\n')) {
    const agent = isCurrent ? AGENT.exec(line) : null;
    if (agent !== null) {
      const [start, id] = agent as unknown as readonly [string, AgentId];
      registry.agents.set(id, { info: line.slice(start.length, -2) as EncodedAgentInfo });
    } else if (line !== '') readLine(registry, read(line) as Line);
  }
}

function readLine(registry: RegistryState, line: Line): void {
  switch (line[0]) {
    case 'master':
      registry.master = line[1];
      break;
    case 'format':
      assert(line[1] <= FORMAT, `the registry has format ${line[1]}, which is newer than this master's ${FORMAT}`);
      break;
    case 'agent':
      registry.agents.set(line[1], { ...line[2], info: encodedAnew(line[2].info).info });
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
