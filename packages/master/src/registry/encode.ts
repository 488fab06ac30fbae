// Encodes registry operations and snapshots as text for the store, and decodes them.
// The format is JSON with one entry per line, so a snapshot is written in pieces; an integer that needs more than
// 53 bits is `{"int64": "..."}`.
//
// ENCODE-1: an agent's info is the last field of its line, with the characters that the registry holds (agent-info.ts).
//     Writing and reading a line neither encodes nor decodes the info.
// ENCODE-2: the first line of a snapshot, and of the first batch of a term, is the format of the lines that follow. A master does
//     not read a registry with a newer format, or with a line that it does not know; it reads all older formats.
import { type AgentId, assert, err, ok, type Result } from '@meseta/base';
import type { MachineInfo, MaintenanceSchedule, MasterInfo, QuotaConfig } from '@meseta/wire';
import type { EncodedAgentInfo } from './agent-info.js';
import { applyToRegistry, type RegistryOperation } from './operations.js';
import {
  emptyRegistry,
  machineKey,
  type RegistryAgentRecord,
  type RegistryState,
  type RegistryUnreachableRecord,
} from './state.js';

type Admission = Extract<RegistryOperation, { readonly info: EncodedAgentInfo }>;

type AgentLine = readonly ['agent', AgentId, RegistryAgentRecord];

type Line =
  | readonly ['master', MasterInfo]
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

const INFO = '"info":';

/** JSON of `fields` with the info as its last field. */
function writeWithInfo(fields: object, info: EncodedAgentInfo): string {
  const text = write(fields);
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}${INFO}${info}}`;
}

/**
 * Reads a line with an info, followed by `end`: the info as text, the rest as JSON with `null` for the info. `INFO` cannot
 * begin inside a string before the info, because quotes in strings are escaped.
 */
function readWithInfo(line: string, end: '}' | '}]'): { readonly info: EncodedAgentInfo; readonly rest: unknown } {
  const infoAt = line.indexOf(INFO) + INFO.length;
  const info = line.slice(infoAt, -end.length) as EncodedAgentInfo;
  return { info, rest: read(`${line.slice(0, infoAt)}null${end}`) };
}

const isAdmission = (operation: RegistryOperation): operation is Admission =>
  operation.kind === 'admitAgent' || operation.kind === 'updateAgent' || operation.kind === 'markAgentReachable';

const writeOperation = (operation: RegistryOperation): string =>
  isAdmission(operation)
    ? writeWithInfo({ kind: operation.kind, agentId: operation.agentId }, operation.info)
    : write(operation);

const BEGINS_ADMISSION = /^\{"kind":"(admitAgent|updateAgent|markAgentReachable)"/;

function readOperation(line: string): RegistryOperation {
  if (!BEGINS_ADMISSION.test(line)) return read(line) as RegistryOperation;
  const { info, rest } = readWithInfo(line, '}');
  return { ...(rest as Admission), info };
}

/** The first line of a snapshot, and of the first batch of a term (ENCODE-2). */
export const formatLine = `["format",${FORMAT}]\n`;

/** One batch for `FencedLog.append`. */
export const encodeOperations = (operations: readonly RegistryOperation[]): string =>
  operations.map(writeOperation).join('\n');

/** The lines of a snapshot, each ended by a newline. */
export function* encodeRegistry(registry: RegistryState): Generator<string> {
  yield formatLine;
  if (registry.master !== undefined) yield lineOf(['master', registry.master]);
  for (const [id, { info, ...rest }] of registry.agents) yield `["agent",${write(id)},${writeWithInfo(rest, info)}]\n`;
  for (const [id, record] of registry.unreachable) yield lineOf(['unreachable', id, record]);
  for (const [id, since] of registry.gone) yield lineOf(['gone', id, since]);
  for (const machine of registry.machines.values()) yield lineOf(['machine', machine]);
  for (const schedule of registry.schedules) yield lineOf(['schedule', schedule]);
  for (const quota of registry.quotas.values()) yield lineOf(['quota', quota]);
  for (const [role, weight] of registry.weights) yield lineOf(['weight', role, weight]);
  for (const capability of registry.minimumCapabilities) yield lineOf(['minimumCapability', capability]);
}

const lineOf = (line: Line): string => `${write(line)}\n`;

const BEGINS_FORMAT = '["format",';

function checkFormat(line: string): Result<void, string> {
  const format = Number(line.slice(BEGINS_FORMAT.length, -1));
  if (format >= 1 && format <= FORMAT) return ok(undefined);
  return err(
    `it has format ${format}, and this version reads formats up to ${FORMAT}: use the newer version that wrote it`,
  );
}

/**
 * The registry from what a store holds: its last snapshot, if any, and the batches after it. The error is for the operator
 * (ENCODE-2).
 */
export function decodeRegistry(
  snapshot: string | undefined,
  batches: readonly string[],
): Result<RegistryState, string> {
  const registry = emptyRegistry();
  const read = snapshot === undefined ? ok(undefined) : readSnapshot(registry, snapshot);
  if (!read.ok) return read;
  for (const batch of batches) {
    const applied = readBatch(registry, batch);
    if (!applied.ok) return applied;
  }
  return ok(registry);
}

function readBatch(registry: RegistryState, batch: string): Result<void, string> {
  for (const line of batch.split('\n')) {
    if (line.startsWith(BEGINS_FORMAT)) {
      const checked = checkFormat(line);
      if (!checked.ok) return checked;
      continue;
    }
    const operation = readOperation(line);
    const applied: Result<boolean, string> | undefined = applyToRegistry(registry, operation);
    // Of a kind that its union of types does not have.
    if (applied === undefined) return err(unknown('operation', operation.kind));
    assert(applied.ok, `the registry's log is inconsistent: ${applied.ok ? '' : applied.error}`);
  }
  return ok(undefined);
}

const unknown = (what: string, name: unknown): string =>
  `it has the ${what} ${JSON.stringify(name)}, which this version does not know: use the newer version that wrote it`;

const BEGINS_AGENT = '["agent",';

function readSnapshot(registry: RegistryState, snapshot: string): Result<void, string> {
  for (const line of snapshot.split('\n')) {
    if (line.startsWith(BEGINS_AGENT)) {
      const { info, rest } = readWithInfo(line, '}]');
      const [, id, record] = rest as AgentLine;
      registry.agents.set(id, { ...record, info });
    } else if (line !== '') {
      const checked = line.startsWith(BEGINS_FORMAT) ? checkFormat(line) : readLine(registry, read(line) as Line);
      if (!checked.ok) return checked;
    }
  }
  return ok(undefined);
}

function readLine(registry: RegistryState, line: Line): Result<void, string> {
  switch (line[0]) {
    case 'master':
      registry.master = line[1];
      return ok(undefined);
    case 'unreachable':
      registry.unreachable.set(line[1], line[2]);
      return ok(undefined);
    case 'gone':
      registry.gone.set(line[1], line[2]);
      return ok(undefined);
    case 'machine':
      registry.machines.set(machineKey(line[1].id), line[1]);
      return ok(undefined);
    case 'schedule':
      registry.schedules = [...registry.schedules, line[1]];
      return ok(undefined);
    case 'quota':
      registry.quotas.set(line[1].role, line[1]);
      return ok(undefined);
    case 'weight':
      registry.weights.set(line[1], line[2]);
      return ok(undefined);
    case 'minimumCapability':
      registry.minimumCapabilities.add(line[1]);
      return ok(undefined);
    default:
      return err(unknown('entry', (line as Line)[0]));
  }
}
