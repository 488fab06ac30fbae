// The values that an attacker or a broken client may send in a field.
import type { FieldSchema } from '../../codegen/schema.js';
import { ABSENT, type SchemaPlaces } from './schema-places.js';

/** JSON text for values that JSON.stringify cannot write. */
export class RawJson {
  constructor(readonly text: string) {}
}

const STRINGS: readonly string[] = [
  '',
  ' ',
  '.',
  '..',
  '../../../../etc/passwd',
  'a/b',
  'a//b',
  '/',
  '-x',
  '*',
  'a\u0000b',
  'a\r\nX-Injected: 1',
  '\u007f',
  '\ud800',
  '\u202eabc',
  '__proto__',
  'constructor',
  'toString',
  '%00%2e%2e',
  '<script>alert(1)</script>',
  "'; DROP TABLE tasks; --",
  '$(reboot)',
  'x'.repeat(300),
  'ü'.repeat(2_000),
  'NaN',
  '-1',
  'null',
];

/** At and beyond the ends of the ranges of floats and integers. */
export const EXTREME_NUMBERS: readonly number[] = [1e-320, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53];

const NUMBERS: readonly unknown[] = [
  -1,
  0,
  -0,
  0.0001,
  ...EXTREME_NUMBERS,
  new RawJson('1e400'),
  new RawJson('9223372036854775807'),
  new RawJson('9223372036854775808'),
  new RawJson('-9223372036854775809'),
  new RawJson('18446744073709551616'),
  new RawJson('1'.repeat(400)),
  'NaN',
  'Infinity',
  '-Infinity',
  '1',
  '0x10',
];

const deep = (open: string, middle: string, close: string, times: number): RawJson =>
  new RawJson(open.repeat(times) + middle + close.repeat(times));

const SCALARS_WRONG: readonly unknown[] = [{}, [], [[[]]], deep('[', '', ']', 1_000), { value: 'x' }];

/** `mistyped`: the field never accepts a value of this kind. */
export interface HostileValue {
  readonly value: unknown;
  readonly mistyped: boolean;
}

function ofKind(places: SchemaPlaces, field: FieldSchema): HostileValue[] {
  const fine = (values: readonly unknown[]): HostileValue[] => values.map((value) => ({ value, mistyped: false }));
  const wrong = (values: readonly unknown[]): HostileValue[] => values.map((value) => ({ value, mistyped: true }));
  if (field.kind === 'message') {
    return [...wrong(['text', 7, true]), ...fine([{}, { no_such_field: {} }, deep('{"a":', 'null', '}', 300)])];
  }
  if (field.kind === 'enum') {
    const known = places.valuesOf(field.type);
    return [...wrong([{}, true]), ...fine(['NO_SUCH_VALUE', '', 'toString', '__proto__', 7, -1, ...known.slice(0, 8)])];
  }
  switch (field.type) {
    case 'string':
      return [...wrong([7, true, ...SCALARS_WRONG.slice(3)]), ...fine(STRINGS)];
    case 'bytes':
      return [...wrong([7, {}, '!not base64!']), ...fine(['', 'AA==', 'A'.repeat(8_000), 'AAAAAAAAAAAAAAAAAAAAAA=='])];
    case 'bool':
      return [...wrong(['yes', 7, {}]), ...fine([true, false, 'true'])];
    default:
      return [...wrong(['text', {}, true, '1 2']), ...fine(NUMBERS)];
  }
}

/** Values for a field in JSON. */
export function hostileValues(places: SchemaPlaces, field: FieldSchema): HostileValue[] {
  const one = ofKind(places, field);
  const nothing = [ABSENT, null].map((value) => ({ value, mistyped: false }));
  if (field.label === 'map') {
    return [
      ...nothing,
      ...['text', 7].map((value) => ({ value, mistyped: true })),
      ...one.slice(0, 12).map(({ value, mistyped }) => ({ value: { cpus: value }, mistyped })),
      { value: Object.fromEntries(STRINGS.map((key) => [key, places.sample(field)])), mistyped: false },
      { value: new RawJson('{"__proto__":{},"__proto__":{"value":1}}'), mistyped: false },
    ];
  }
  if (field.label !== 'repeated') return [...nothing, ...one];
  const sample = places.sample(field);
  return [
    ...nothing,
    { value: [], mistyped: false },
    { value: [null, null], mistyped: false },
    { value: Array.from({ length: 100 }, () => sample), mistyped: false },
    { value: [sample, sample], mistyped: false },
    ...one.map(({ value, mistyped }) => ({ value: [value], mistyped })),
  ];
}

/** The JSON of a value that may contain RawJson. */
export function writeJson(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}:${writeJson(field)}`);
  return `{${fields.join(',')}}`;
}
