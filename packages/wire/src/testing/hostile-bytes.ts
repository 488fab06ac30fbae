// Writes protobuf with malformed fields, which no encoder makes.
import type { FieldSchema } from '../../codegen/schema.js';
import { RawJson } from './hostile-values.js';
import type { Place, Plain, SchemaPlaces } from './schema-places.js';
import { varint as varintBytes } from './varint.js';

const bytesOf = (...bytes: number[]): Buffer => Buffer.from(bytes);

const varint = (value: bigint): Buffer => Buffer.from(varintBytes(value));

const tag = (number: number, wireType: number): Buffer => varint((BigInt(number) << 3n) | BigInt(wireType));
const sized = (bytes: Buffer): Buffer => Buffer.concat([varint(BigInt(bytes.length)), bytes]);

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

const numberOf = (value: unknown): number => Number(value instanceof RawJson ? value.text : value);

/** A value that is not an integer gets all bits set. */
function integerOf(value: unknown): bigint {
  const number = numberOf(value);
  return Number.isFinite(number) ? BigInt(Math.trunc(number)) : -1n;
}

type Injected = { readonly steps: readonly FieldSchema[]; readonly bytes: Buffer };

function encodeOne(places: SchemaPlaces, field: FieldSchema, value: unknown, injected: Injected | undefined): Buffer {
  if (field.kind === 'message') {
    return Buffer.concat([tag(field.number, 2), sized(encodePlain(places, field.type, value as Plain, injected))]);
  }
  if (field.kind === 'enum') {
    return Buffer.concat([tag(field.number, 0), varint(BigInt(places.numberOf(field.type, String(value))))]);
  }
  switch (field.type) {
    case 'string':
      return Buffer.concat([tag(field.number, 2), sized(Buffer.from(String(value)))]);
    case 'bytes':
      return Buffer.concat([tag(field.number, 2), sized(Buffer.from(String(value), 'base64'))]);
    case 'double':
      return Buffer.concat([tag(field.number, 1), double(numberOf(value))]);
    case 'float':
      return Buffer.concat([tag(field.number, 5), float(numberOf(value))]);
    case 'bool':
      return Buffer.concat([tag(field.number, 0), varint(value === true ? 1n : 0n)]);
    default:
      return Buffer.concat([tag(field.number, 0), varint(integerOf(value))]);
  }
}

/** A message of ordinary values, with the given bytes at one place. */
export function encodePlain(places: SchemaPlaces, name: string, plain: Plain, injected?: Injected): Buffer {
  const parts: Buffer[] = [];
  const [at, ...rest] = injected?.steps ?? [];
  for (const field of places.message(name).fields) {
    const isOnTheWay = injected !== undefined && field.name === at?.name;
    if (isOnTheWay && rest.length === 0) {
      parts.push(injected.bytes);
      continue;
    }
    const deeper = isOnTheWay ? { steps: rest, bytes: injected.bytes } : undefined;
    const value = plain[field.name] ?? (isOnTheWay ? emptyOf(field) : undefined);
    if (value === undefined) continue;
    if (field.label === 'map') {
      for (const [i, [key, entry]] of Object.entries(value as Plain).entries()) {
        const inner = encodeOne(places, { ...field, number: 2 }, entry, i === 0 ? deeper : undefined);
        const whole = Buffer.concat([bytesOf(0x0a), sized(Buffer.from(key)), inner]);
        parts.push(tag(field.number, 2), sized(whole));
      }
      continue;
    }
    const list = field.label === 'repeated' ? (value as readonly unknown[]) : [value];
    for (const [i, element] of list.entries()) {
      parts.push(encodeOne(places, field, element, i === 0 ? deeper : undefined));
    }
  }
  return Buffer.concat(parts);

  function emptyOf(field: FieldSchema): unknown {
    const minimal = places.minimal(field.type);
    if (field.label === 'map') return { cpus: minimal };
    return field.label === 'repeated' ? [minimal] : minimal;
  }
}

/** Bytes for the field of a place: none, wrong wire types, wrong lengths, values at the limits. */
export function hostileBytes({ steps }: Place): Buffer[] {
  const field = steps.at(-1) as FieldSchema;
  const { number } = field;
  const big = Buffer.alloc(5_000, 0x61);
  const always = [
    Buffer.alloc(0),
    Buffer.concat([tag(number, 0), varint(1n)]),
    Buffer.concat([tag(number, 0), varint(2n ** 64n - 1n)]),
    Buffer.concat([tag(number, 0), varint(9_999n)]),
    Buffer.concat([tag(number, 0), Buffer.alloc(12, 0xff)]),
    Buffer.concat([tag(number, 1), Buffer.alloc(8, 0xff)]),
    Buffer.concat([tag(number, 1), double(Number.POSITIVE_INFINITY)]),
    Buffer.concat([tag(number, 1), double(-1)]),
    Buffer.concat([tag(number, 1), double(1e308)]),
    Buffer.concat([tag(number, 5), Buffer.alloc(4)]),
    Buffer.concat([tag(number, 2), varint(0n)]),
    Buffer.concat([tag(number, 2), varint(2n ** 31n)]),
    Buffer.concat([tag(number, 2), varint(2n ** 63n)]),
    Buffer.concat([tag(number, 2), varint(100n)]),
    Buffer.concat([tag(number, 2), sized(bytesOf(0xff, 0xfe, 0xc0, 0x80))]),
    Buffer.concat([tag(number, 2), sized(Buffer.from('../../etc/passwd'))]),
    Buffer.concat([tag(number, 2), sized(big)]),
    Buffer.concat([tag(number, 3), tag(number, 3)]),
    tag(number, 4),
    tag(number, 6),
    tag(number, 7),
    bytesOf(0),
    bytesOf(0x80),
    nested(number, 300),
  ];
  const twice = Buffer.concat([tag(number, 2), varint(0n)]);
  return [...always, Buffer.concat(Array.from({ length: 100 }, () => twice))];
}

/** A message nested in itself, at the same field number on each level. */
function nested(number: number, times: number): Buffer {
  let bytes: Buffer = Buffer.alloc(0);
  for (let i = 0; i < times; i++) bytes = Buffer.concat([tag(number, 2), sized(bytes)]);
  return bytes;
}
