// Encodes registry operations and snapshots as text for the store, and decodes them.
// The format is JSON with one entry per line, so a snapshot is written in pieces; an integer that needs more than
// 53 bits is `{"int64": "..."}`.
//
// ENCODE-1: an agent's info is the last field of its line, with the characters that the registry holds (agent-info.ts).
//     Writing and reading a line that has only the agent's id and its info neither encodes nor decodes the info.
// ENCODE-2: the first line of a snapshot is its format. A master refuses a snapshot of a newer format.
import { type AgentId, assert } from '@meseta/base';
import type { MachineInfo, MaintenanceSchedule, MasterInfo, QuotaConfig } from '@meseta/wire';
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

type Line =
  | readonly ['format', number]
  | readonly ['master', MasterInfo]
  | readonly ['agent', AgentId, RegistryAgentRecord]
  | readonly ['unreachable', AgentId, RegistryUnreachableRecord]
  | readonly ['gone', AgentId, number]
  | readonly ['machine', MachineInfo]
  | readonly ['schedule', MaintenanceSchedule]
  | readonly ['quota', QuotaConfig]
  | readonly ['weight', string, number]
  | readonly ['minimumCapability', string];

const FORMAT = 1;

const wrapBigint = (_: string, field: unknown): unknown =>
  typeof field === 'bigint' ? { int64: field.toString() } : field;

const isWrappedBigint = (field: unknown): field is { readonly int64: string } =>
  typeof field === 'object' && field !== null && 'int64' in field && typeof field.int64 === 'string';

const unwrapBigint = (_: string, field: unknown): unknown => (isWrappedBigint(field) ? BigInt(field.int64) : field);

/** Few records hold a bigint, and a replacer function makes `JSON.stringify` several times slower. */
function write(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof TypeError) return JSON.stringify(value, wrapBigint);
    throw cause;
  }
}

const read = (text: string): unknown =>
  text.includes('"int64":') ? JSON.parse(text, unwrapBigint) : (JSON.parse(text) as unknown);

/** JSON of `fields` with the info as its last field. */
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

/** The part of a line before the info (ENCODE-1). */
const ADMISSION = /^\{"kind":"(admitAgent|updateAgent|markAgentReachable)","agentId":"([^"\\]+)","info":/;

function readOperation(line: string): RegistryOperation {
  const admission = ADMISSION.exec(line);
  if (admission !== null) {
    const [start, kind, agentId] = admission;
    const info = line.slice(start.length, -1) as EncodedAgentInfo;
    return { kind: kind as Admission['kind'], agentId: agentId as AgentId, info };
  }
  const operation = read(line) as RegistryOperation;
  // An agent id with a quote or a backslash.
  return isAdmission(operation) ? { ...operation, info: encodeParsedInfo(operation.info) } : operation;
}

/** In a line that was parsed as a whole, the info is a JSON object. */
function encodeParsedInfo(json: unknown): EncodedAgentInfo {
  const info = AgentInfoCodec.read(json);
  assert(info.ok, 'the registry holds an AgentInfo that cannot be decoded');
  return encodeAgentInfo(info.value);
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

/** The registry from what a store holds: its last snapshot, if any, and the batches after it. */
export function decodeRegistry(snapshot: string | undefined, batches: readonly string[]): RegistryState {
  const registry = emptyRegistry();
  if (snapshot !== undefined) readSnapshot(registry, snapshot);
  for (const batch of batches) {
    for (const operation of decodeOperations(batch)) {
      const applied = applyToRegistry(registry, operation);
      assert(applied.ok, `the registry's log is inconsistent: ${applied.ok ? '' : applied.error}`);
    }
  }
  return registry;
}

/** The part before the info in the line of an agent that has no other fields (ENCODE-1). */
const AGENT = /^\["agent","([^"\\]+)",\{"info":/;

function readSnapshot(registry: RegistryState, snapshot: string): void {
  for (const line of snapshot.split('\n')) {
    const agent = AGENT.exec(line);
    if (agent !== null) {
      const [start, id] = agent;
      registry.agents.set(id as AgentId, { info: line.slice(start.length, -2) as EncodedAgentInfo });
    } else if (line !== '') readLine(registry, read(line) as Line);
  }
}

function readLine(registry: RegistryState, line: Line): void {
  switch (line[0]) {
    case 'master':
      registry.master = line[1];
      break;
    case 'format':
      assert(line[1] <= FORMAT, `the registry has format ${line[1]}; this master reads formats up to ${FORMAT}`);
      break;
    case 'agent':
      registry.agents.set(line[1], { ...line[2], info: encodeParsedInfo(line[2].info) });
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
