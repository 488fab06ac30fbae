// The conversions of the generated JSON readers: the values that Mesos accepts for a field of each kind. The readers treat
// null as unset before they call these functions; a null in a list is dropped.
//
// `limited`: lists, maps and ids have limits. Messages written or requested by this process have none.
import { quoted, utf8Length } from '@meseta/base';
import { canonicalBase64 } from './base64.js';
import { MAX_DEPTH, MAX_ID_BYTES, tooDeep, tooMany } from './binary-reader.js';
import { setEntry } from './json-parser.js';
import { WireFailure, within } from './wire-error.js';

export type JsonObject = { readonly [key: string]: unknown };

export function readObject(json: unknown, depth: number): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong('an object', json);
  if (depth > MAX_DEPTH) throw tooDeep();
  return json as JsonObject;
}

export function readString(json: unknown): string {
  if (typeof json !== 'string') throw wrong('a string', json);
  return json;
}

/** The text of an id. */
export function readId(json: unknown, limited: boolean): string {
  const text = readString(json);
  // A character takes one to three bytes.
  if (limited && text.length * 3 > MAX_ID_BYTES && utf8Length(text) > MAX_ID_BYTES) {
    throw tooMany('bytes', MAX_ID_BYTES);
  }
  return text;
}

/** Returns canonical base64. Errors do not quote the text, as secrets are `bytes` and are often given unencoded. */
export function readBytes(json: unknown): string {
  if (typeof json !== 'string') throw wrong('a base64 string', json);
  const canonical = canonicalBase64(json);
  if (canonical === undefined) throw new WireFailure('type', 'a base64 string', 'other text');
  return canonical;
}

export function readBool(json: unknown): boolean {
  if (typeof json === 'boolean') return json;
  if (typeof json === 'string') {
    const text = json.trim();
    if (text === 'true') return true;
    if (text === 'false') return false;
  }
  throw wrong('a boolean', json);
}

export function readDouble(json: unknown): number {
  if (typeof json === 'number') return json;
  if (json === 'Infinity') return Number.POSITIVE_INFINITY;
  if (json === '-Infinity') return Number.NEGATIVE_INFINITY;
  return numberOf(json, 'a number');
}

export function readInt32(json: unknown): number {
  return integerOf(json, -0x80000000, 0x7fffffff, 'a 32-bit integer');
}

export function readUint32(json: unknown): number {
  return integerOf(json, 0, 0xffffffff, 'a 32-bit unsigned integer');
}

export function readInt64(json: unknown): number {
  return integerOf(json, -0x8000000000000000, 0x8000000000000000, 'a 64-bit integer');
}

export function readUint64(json: unknown): number {
  return integerOf(json, 0, 0x10000000000000000, 'a 64-bit unsigned integer');
}

export function readBigint(json: unknown): bigint {
  const whole = typeof json === 'string' && /^\s*-?\d{1,20}\s*$/.test(json) ? BigInt(json.trim()) : json;
  if (typeof whole === 'bigint') {
    if (BigInt.asIntN(64, whole) === whole) return whole;
    throw wrong('a 64-bit integer', whole);
  }
  return BigInt(readInt64(json));
}

/** The name of an enum value; undefined if it is not in the schema. */
export function readEnum<T extends string>(json: unknown, numbers: ReadonlyMap<T, number>): T | undefined {
  if (typeof json !== 'string') throw wrong('the name of an enum value', json);
  return numbers.has(json as T) ? (json as T) : undefined;
}

export function readRequiredEnum<T extends string>(json: unknown, numbers: ReadonlyMap<T, number>): T {
  const name = readEnum(json, numbers);
  if (name === undefined) throw new WireFailure('value', `one of ${[...numbers.keys()].join(', ')}`, show(json));
  return name;
}

type ReadElement<T> = (element: unknown, depth: number, limited: boolean) => T | undefined;

/** A single value counts as a list of one. Elements for which `read` returns undefined are dropped. */
export function readList<T>(
  json: unknown,
  depth: number,
  read: ReadElement<T>,
  most: number,
  limited: boolean,
): T[] | undefined {
  const list: T[] = [];
  addElements(list, json, depth, read, most, limited);
  return list.length === 0 ? undefined : list;
}

function addElements<T>(
  list: T[],
  json: unknown,
  depth: number,
  read: ReadElement<T>,
  most: number,
  limited: boolean,
): void {
  if (!Array.isArray(json)) {
    if (json === null) return;
    const element = read(json, depth, limited);
    if (element === undefined) return;
    if (limited && list.length >= most) throw tooMany('items', most);
    list.push(element);
    return;
  }
  if (depth > MAX_DEPTH) throw tooDeep();
  // Refused before its elements are read.
  if (limited && list.length + json.length > most) throw tooMany('items', most);
  let index = 0;
  try {
    for (; index < json.length; index++) addElements(list, json[index], depth + 1, read, most, limited);
  } catch (error) {
    throw within(error, `[${index}]`);
  }
}

export function readMap<T>(
  json: unknown,
  depth: number,
  read: (value: unknown, depth: number, limited: boolean) => T,
  most: number,
  limited: boolean,
): { readonly [key: string]: T } | undefined {
  const object = readObject(json, depth);
  const map: Record<string, T> = {};
  const keys = Object.keys(object);
  if (limited && keys.length > most) throw tooMany('items', most);
  for (const key of keys) {
    try {
      setEntry(map, key, read(object[key], depth, limited));
    } catch (error) {
      throw within(error, `[${quoted(key)}]`);
    }
  }
  return keys.length === 0 ? undefined : map;
}

const NUMBER = /^\s*-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?\s*$/;

function numberOf(json: unknown, expected: string): number {
  if (typeof json === 'number') return json;
  if (typeof json === 'bigint') return Number(json);
  if (typeof json === 'string' && NUMBER.test(json)) return Number(json);
  throw wrong(expected, json);
}

/** A fraction is truncated, as Mesos does. */
function integerOf(json: unknown, least: number, most: number, expected: string): number {
  const value = Math.trunc(numberOf(json, expected)) + 0;
  if (value >= least && value <= most) return value;
  throw new WireFailure('value', `${expected} within its range`, show(json));
}

function wrong(expected: string, json: unknown): WireFailure {
  return new WireFailure('type', expected, show(json));
}

const MAX_SHOWN = 60;

function show(json: unknown): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'a list';
  if (typeof json === 'object') return 'an object';
  const text = typeof json === 'string' ? JSON.stringify(json.slice(0, MAX_SHOWN)) : String(json);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}
