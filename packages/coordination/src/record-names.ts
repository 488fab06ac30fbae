// The records of a log on a service of small named records: their names, what they contain, and which of them the log reads.
// The rules are record-log.ts'.
import { err, ok, type Result } from '@meseta/base';
import type { StoreError } from './types.js';

/** `version` is another one after the record was replaced, or was removed and made again. */
export interface ListedRecord {
  readonly name: string;
  readonly version: string;
}

export interface Records {
  list(): Promise<Result<readonly ListedRecord[], StoreError>>;
  get(name: string): Promise<Result<Buffer, StoreError>>;
}

/** Reads under way. */
const READ_TOGETHER = 64;
export const MAX_PARTS = 1024;
const MAX_NUMBER = 1e10;
export const CURRENT = 'current';
export const BATCH = /^batch\.(\d{10})\.(\d{4})\.(\d{4})$/;
export const PART = /^snapshot\.(\d{10})\.(\d{4})$/;

const digits = (value: number, count: number): string => String(value).padStart(count, '0');
export const batchName = (sequence: number, part: number, parts: number): string =>
  `batch.${digits(sequence, 10)}.${digits(part, 4)}.${digits(parts, 4)}`;
export const partName = (generation: number, part: number): string =>
  `snapshot.${digits(generation, 10)}.${digits(part, 4)}`;

export interface Current {
  readonly generation: number;
  readonly parts: number;
  readonly upTo: number;
}

export const NO_SNAPSHOT: Current = { generation: 0, parts: 0, upTo: 0 };

export const damaged = (text: string) =>
  err<StoreError>({ code: 'unavailable', text: `the registry is damaged: ${text}` });

export function parseCurrent(bytes: Buffer): Result<Current, StoreError> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return damaged(`${CURRENT} is not JSON`);
  }
  const { generation, parts, upTo } = (value ?? {}) as Partial<Record<string, unknown>>;
  const isCount = (count: unknown, most: number): count is number =>
    typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= most;
  return isCount(generation, MAX_NUMBER) && isCount(parts, MAX_PARTS) && isCount(upTo, MAX_NUMBER)
    ? ok({ generation, parts, upTo })
    : damaged(`${CURRENT} has a number out of range`);
}

/** What the names say: the batches after the snapshot in order, and the records that are not read. */
export interface Listing {
  readonly current: Current;
  readonly batches: readonly (readonly string[])[];
  readonly incomplete: readonly string[];
}

/** RECORDLOG-3 */
export function listingOf(names: readonly string[], current: Current): Result<Listing, StoreError> {
  const parts = new Map<number, string[]>();
  const totals = new Map<number, number>();
  for (const name of names) {
    const [, sequence, , total] = BATCH.exec(name) ?? [];
    if (sequence === undefined) {
      if (name === CURRENT || PART.test(name)) continue;
      const text = `the registry has a record ${JSON.stringify(name)}, which this version does not read: use the newer version that wrote it`;
      return err({ code: 'unavailable', text });
    }
    if (Number(sequence) <= current.upTo) continue;
    const found = parts.get(Number(sequence));
    if (found === undefined) parts.set(Number(sequence), [name]);
    else found.push(name);
    totals.set(Number(sequence), Number(total));
  }
  const sequences = [...parts.keys()].sort((a, b) => a - b);
  const batches: string[][] = [];
  for (const [n, sequence] of sequences.entries()) {
    const found = (parts.get(sequence) as string[]).sort();
    if (sequence !== current.upTo + 1 + n) return damaged(`batch ${current.upTo + 1 + n} is missing`);
    const total = totals.get(sequence) as number;
    const isWhole = found.length === total && found.every((name, part) => name === batchName(sequence, part, total));
    if (isWhole) batches.push(found);
    else if (n < sequences.length - 1) return damaged(`batch ${sequence} is incomplete`);
    else return ok({ current, batches, incomplete: found });
  }
  return ok({ current, batches, incomplete: [] });
}

/** The names of the parts of the current snapshot. */
export const snapshotNames = ({ generation, parts }: Current): readonly string[] =>
  Array.from({ length: parts }, (_, n) => partName(generation, n));

/** The results in the order of the items, `READ_TOGETHER` at a time; the first error ends it. */
export async function readAll(
  records: Records,
  names: readonly string[],
): Promise<Result<ReadonlyMap<string, Buffer>, StoreError>> {
  const values = new Map<string, Buffer>();
  for (let at = 0; at < names.length; at += READ_TOGETHER) {
    const group = names.slice(at, at + READ_TOGETHER);
    const read = await Promise.all(group.map((name) => records.get(name)));
    for (const [n, value] of read.entries()) {
      if (!value.ok) return value;
      values.set(group[n] as string, value.value);
    }
  }
  return ok(values);
}
