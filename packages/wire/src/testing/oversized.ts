// Messages at the size limits, drawn from the schema: lists at their limit and above, the longest strings, the deepest
// nesting, numbers at the ends of their ranges, unknown enum names, duplicate ids.
import { below, LIMITS, type Random } from '@meseta/base';
import type { FieldSchema } from '../../codegen/schema.js';
import { EXTREME_NUMBERS, RawJson } from './hostile-values.js';
import type { Plain, SchemaPlaces } from './schema-places.js';

export interface Oversized {
  /** The changed places and their values. */
  readonly what: string;
  readonly plain: Plain;
}

const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

const COUNTS = [LIMITS.labels.most, LIMITS.recordField.most, LIMITS.repeatedField.most].flatMap((most) => [
  most,
  most + 1,
]);
/** The limit of elements that the test itself can build. */
const MOST_ELEMENTS = 600_000;
const LENGTHS = [LIMITS.id.most, LIMITS.role.most, LIMITS.attributeText.most, 2 ** 16, 2 ** 20, 8 * 2 ** 20];
const TEXTS = ['x', 'é', 'a/', '(', 'a{1000}', '\u0000', '../', '"', '\\', '1'];
const NUMBERS: readonly unknown[] = [
  0,
  -1,
  ...EXTREME_NUMBERS,
  2 ** 63,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  new RawJson('1e400'),
  new RawJson('18446744073709551616'),
  new RawJson('9'.repeat(100_000)),
];
const DEPTHS = [LIMITS.messageDepth.most - 3, LIMITS.messageDepth.most + 3];

interface Draw {
  readonly places: SchemaPlaces;
  readonly random: Random;
}

export function createOversized(places: SchemaPlaces, random: Random) {
  const draw: Draw = { places, random };
  return (name: string, start: Plain, parts: readonly string[] = []): Oversized => {
    let plain: Plain = start;
    const isBelow = (at: string): boolean => parts.length === 0 || parts.some((part) => at.startsWith(part));
    const all = places.placesOf(name, 8).filter(({ text: at }) => isBelow(at));
    const whats: string[] = [];
    // Long lists take the most time and memory of a process.
    const lists = all.filter(({ steps }) => /repeated|map/.test(steps.at(-1)?.label ?? ''));
    for (let i = 1 + below(random, 3); i > 0 && all.length > 0; i--) {
      const place = pick(random, lists.length > 0 && below(random, 2) === 0 ? lists : all);
      const field = place.steps.at(-1);
      if (field === undefined) continue;
      const [what, value] = hostileValue(draw, field);
      whats.push(`${place.text}: ${what}`);
      plain = places.put(plain, place, value);
    }
    return { what: whats.join('; '), plain };
  };
}

const text = (random: Random, length: number): string => {
  const unit = pick(random, TEXTS);
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
};

/** A record with most of its fields and of those of its records. */
function filled(draw: Draw, name: string, depth: number): Plain {
  const { places, random } = draw;
  const plain: Record<string, unknown> = { ...places.minimal(name) };
  for (const field of places.message(name).fields) {
    if (field.label === 'required' && field.kind !== 'message') continue;
    if (depth <= 0 || below(random, 3) === 0) continue;
    const one = field.kind === 'message' ? filled(draw, field.type, depth - 1) : places.sample(field);
    plain[field.name] = field.label === 'repeated' ? [one] : field.label === 'map' ? { cpus: one } : one;
  }
  return plain;
}

/** The element at `index`, which differs from the others in its first string. */
function distinct(places: SchemaPlaces, field: FieldSchema, element: unknown, index: number): unknown {
  if (field.type === 'string') return `${String(element)}${index}`;
  if (field.kind !== 'message') return element;
  const { fields } = places.message(field.type);
  const named = fields.find(
    ({ type, kind, label }) => label !== 'repeated' && (type === 'string' || kind === 'message'),
  );
  if (named === undefined || named.label === 'map') return element;
  const before = (element as Plain)[named.name] ?? places.sample(named);
  return { ...(element as Plain), [named.name]: distinct(places, named, before, index) };
}

function hostileList(draw: Draw, field: FieldSchema): readonly [what: string, value: unknown] {
  const { places, random } = draw;
  const element = field.kind === 'message' ? filled(draw, field.type, below(random, 3)) : places.sample(field);
  const count = Math.min(pick(random, COUNTS), Math.floor(MOST_ELEMENTS / sizeOf(element)));
  const isDistinct = below(random, 2) === 0;
  const at = (i: number): unknown => (isDistinct ? distinct(places, field, element, i) : element);
  const what = `${count} ${isDistinct ? 'different' : 'equal'} elements`;
  if (field.label === 'map')
    return [what, Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, at(i)]))];
  return [what, Array.from({ length: count }, (_, i) => at(i))];
}

function nested(draw: Draw, field: FieldSchema): readonly [what: string, value: unknown] {
  const { places, random } = draw;
  const itself = places.message(field.type).fields.find(({ type, label }) => type === field.type && label !== 'map');
  if (itself === undefined) return ['filled', filled(draw, field.type, 4)];
  const depth = pick(random, DEPTHS);
  let value: Plain = places.minimal(field.type);
  for (let i = 0; i < depth; i++) {
    value = { ...places.minimal(field.type), [itself.name]: itself.label === 'repeated' ? [value] : value };
  }
  return [`${depth} deep`, value];
}

function hostileValue(draw: Draw, field: FieldSchema): readonly [what: string, value: unknown] {
  const { places, random } = draw;
  if (field.label === 'repeated' || field.label === 'map') return hostileList(draw, field);
  if (field.kind === 'message') return nested(draw, field);
  if (field.kind === 'enum') return ['no such name', pick(random, ['NO_SUCH', ...places.valuesOf(field.type)])];
  if (field.type === 'bool') return ['true', true];
  const length = pick(random, LENGTHS);
  if (field.type === 'string') return [`${length} characters`, text(random, length)];
  if (field.type === 'bytes') return [`${length} bytes`, Buffer.alloc(length, 7).toString('base64')];
  return ['a number', pick(random, NUMBERS)];
}

/** The number of values in a value, itself included. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let size = 1;
  for (const inner of Object.values(value)) size += sizeOf(inner);
  return size;
}
