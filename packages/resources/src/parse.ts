// Parses the flags `--resources` and `--attributes` (Mesos' docs/attributes-resources.md).
import { err, ok, type Result } from '@meseta/base';
import type { Attribute, Resource, ValueRange } from '@meseta/wire';
import { merge, type Resources } from './algebra.js';
import { resourcesFromJson } from './json.js';
import { isDynamicallyReserved, isPersistentVolume, isRevocable } from './kinds.js';
import { parseNumber } from './numbers.js';
import { coalesce, MAX_RANGE_END, OPEN_END_TEXT } from './ranges.js';
import { withFields } from './records.js';
import { toPostRefinement } from './reservation-formats.js';
import { validateResources } from './validate.js';

/**
 * Parses `cpus:4;mem(role):1024;ports:[31000-32000];disks:{a,b}`, or a JSON array of resources. Resources without a role
 * are reserved (STATIC) to `defaultRole` unless it is `*`. Volumes, revocable resources, dynamic reservations and a name
 * with two types are errors, because an agent cannot start with them.
 */
export function parseResources(text: string, defaultRole = '*'): Result<Resources, string> {
  const list = parseResourceList(text, defaultRole);
  if (!list.ok) return list;
  const types = new Map<string, string>();
  for (const resource of list.value) {
    if (isPersistentVolume(resource)) return err(`${resource.name}: a persistent volume can not be given here`);
    if (isRevocable(resource)) return err(`${resource.name}: a revocable resource can not be given here`);
    if (isDynamicallyReserved(resource)) return err(`${resource.name}: a DYNAMIC reservation can not be given here`);
    const type = types.get(resource.name) ?? resource.type;
    if (type !== resource.type) return err(`${resource.name}: expected one type, got ${type} and ${resource.type}`);
    types.set(resource.name, type);
  }
  return ok(merge(list.value));
}

/** Parses the entries without merging them, so that the list also has resources of amount zero. */
export function parseResourceList(text: string, defaultRole = '*'): Result<readonly Resource[], string> {
  const isJson = text.trimStart().startsWith('[');
  const parsed = isJson ? resourcesFromJson(text) : parseEach(text, ';', (entry) => parseResource(entry));
  if (!parsed.ok) return parsed;
  const list = parsed.value.map((resource) =>
    resource.role === undefined && !resource.reservations?.length
      ? withFields(resource, { role: defaultRole })
      : resource,
  );
  const valid = validateResources(list);
  return valid.ok ? ok(toPostRefinement(list)) : err(valid.error.text);
}

function parseEach<T>(
  text: string,
  separators: string,
  parse: (entry: string) => Result<T, string>,
): Result<T[], string> {
  const parsed: T[] = [];
  for (const entry of text.split(new RegExp(`[${separators}]`))) {
    if (entry.trim() === '') continue;
    const one = parse(entry.trim());
    if (!one.ok) return one;
    parsed.push(one.value);
  }
  return ok(parsed);
}

function parseResource(entry: string): Result<Resource, string> {
  const match = /^([^:()]+)(?:\(([^:()]*)\))?\s*:([^:]+)$/.exec(entry);
  if (!match) return err(`expected name:value or name(role):value, got ${JSON.stringify(entry)}`);
  const name = (match[1] as string).trim();
  const value = parseValue(match[3] as string);
  if (!value.ok) return err(`${name}: ${value.error}`);
  if (value.value.type === 'TEXT') return err(`${name}: expected a number >= 0, [ranges] or {a set}, got ${match[3]}`);
  const role = match[2]?.trim();
  return ok(withFields({ name, ...value.value }, { role }));
}

type Value = Pick<Attribute, 'type' | 'scalar' | 'ranges' | 'text' | 'set'>;

/** Parses `4`, `[1-2,5-6]` or `{a,b}`; anything else is a text. Spaces are ignored. */
function parseValue(spaced: string): Result<Value, string> {
  const text = spaced.replaceAll(' ', '');
  if (text.startsWith('[')) return parseRanges(text);
  if (text.startsWith('{')) {
    if (!/^\{[^{}[\]]*\}$/.test(text)) return err(`expected a set such as {a,b}, got ${text}`);
    const items = text
      .slice(1, -1)
      .split(/[,\n]/)
      .filter((item) => item !== '');
    return ok({ type: 'SET', set: { item: items } });
  }
  if (text === '' || /[[\]{}]/.test(text)) return err(`expected a value, got ${JSON.stringify(spaced)}`);
  const number = parseNumber(text);
  return ok(
    number !== undefined && number >= 0
      ? { type: 'SCALAR', scalar: { value: number } }
      : { type: 'TEXT', text: { value: text } },
  );
}

function parseRanges(text: string): Result<Value, string> {
  const ranges: ValueRange[] = [];
  const inner = /^\[([^[\]]*)\]$/.exec(text)?.[1];
  for (const part of inner?.split(/[,\n]/) ?? [text]) {
    if (part === '') continue;
    const match = /^(\d+)-(\d+)$/.exec(part);
    if (!match) return err(`expected ranges such as [31000-32000,33000-33010], got ${text}`);
    const range = { begin: Number(match[1]), end: Number(match[2]) };
    if (range.begin > MAX_RANGE_END || (range.end > MAX_RANGE_END && match[2] !== OPEN_END_TEXT)) {
      return err(`expected numbers up to ${MAX_RANGE_END}, or ${OPEN_END_TEXT} for a range without end, got ${part}`);
    }
    if (range.begin > range.end) return err(`expected begin <= end, got ${part}`);
    ranges.push(range);
  }
  return ok({ type: 'RANGES', ranges: { range: coalesce(ranges) } });
}

/** Parses `rack:r1;size:10;span:[1-5]`: texts, scalars and ranges in their order; a name may be repeated. */
export const parseAttributes = (text: string): Result<readonly Attribute[], string> =>
  parseEach(text, ';\n', (entry): Result<Attribute, string> => {
    const colon = entry.indexOf(':');
    if (colon <= 0 || colon === entry.length - 1) return err(`expected name:value, got ${JSON.stringify(entry)}`);
    const name = entry.slice(0, colon);
    const value = parseValue(entry.slice(colon + 1));
    if (!value.ok) return err(`${name}: ${value.error}`);
    return value.value.type === 'SET'
      ? err(`${name}: expected a text, a number or [ranges]: attributes can not be sets`)
      : ok({ name, ...value.value });
  });
