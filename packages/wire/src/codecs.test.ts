// Every message, drawn from the schema, in both media types; protobufjs on the same .proto is the oracle.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, uniform } from '@meseta/base';
import fc from 'fast-check';
import { type FieldSchema, loadRoot, type MessageSchema, readSchema } from '../codegen/schema.js';
import type { Codec } from './codec.js';
import * as codecs from './codecs.js';

const PROTO = 'packages/wire/proto';
const schema = readSchema(PROTO);
const root = loadRoot(PROTO);
const messages = new Map(schema.messages.map((message) => [message.name, message]));
/** The names that decoders return: of names with the same number the first. */
const enums = new Map(
  schema.enums.map((e) => {
    const names = new Map([...e.values].reverse().map(([name, number]) => [number, name]));
    return [e.name, [...names.values()]];
  }),
);

type Plain = Record<string, unknown>;

const codecOf = (message: MessageSchema): Codec<Plain> =>
  (codecs as Readonly<Record<string, unknown>>)[`${message.name}Codec`] as Codec<Plain>;

/** The maximum of fields in a value; beyond it only required fields are drawn. */
const MAX_FIELDS = 40;
const DOUBLES = [0, -0, 0.1, 1e15, 1e21, 5e-324, 1.7976931348623157e308, -2.5, Infinity, -Infinity];
const CHARACTERS = ['a', 'Z', '0', ' ', '"', '\\', '/', '\n', '\u0000', '\u007f', '\u0080', 'é', '\u2028', '€', '😀'];

type Draw = (below: number) => number;

const SCALARS: Readonly<Record<string, (draw: Draw) => unknown>> = {
  string: (draw) => Array.from({ length: draw(9) * draw(9) }, () => CHARACTERS[draw(CHARACTERS.length)]).join(''),
  bytes: (draw) => Buffer.from(Array.from({ length: draw(20) }, () => draw(256))).toString('base64'),
  bool: (draw) => draw(2) === 1,
  double: (draw) => (draw(2) === 1 ? DOUBLES[draw(DOUBLES.length)] : draw(2 ** 32) / 1000),
  int32: (draw) => (draw(2 ** 32) >> draw(32)) | 0,
  uint32: (draw) => draw(2 ** 32) >>> draw(32),
  int64: (draw) => Math.trunc(((draw(2 ** 32) - 2 ** 31) * 2 ** 21) / 2 ** draw(52)) + 0,
  uint64: (draw) => Math.trunc((draw(2 ** 32) * 2 ** 21) / 2 ** draw(53)),
};

/**
 * A value with its fields in the order of their numbers. It is drawn from one seed, which reproduces it: an arbitrary for
 * each field would be slow for messages of this size.
 */
function drawn(message: MessageSchema, seed: number): Plain {
  const random = seededRandom(seed);
  const draw: Draw = (below) => Math.floor(uniform(random) * below);
  let fields = 0;
  const drawOne = (of: MessageSchema, field: FieldSchema): unknown => {
    if (field.kind === 'message') return drawMessage(messages.get(field.type) as MessageSchema, 4);
    const names = enums.get(field.type);
    if (names !== undefined) return names[draw(names.length)];
    if (of.name === 'TimeInfo') return BigInt(draw(2 ** 32)) * 1000001n;
    return SCALARS[field.type]?.(draw);
  };
  const drawField = (of: MessageSchema, field: FieldSchema): unknown => {
    const list = (most: number) => Array.from({ length: 1 + draw(most) }, () => drawOne(of, field));
    if (field.label === 'repeated') return list(3);
    return field.label === 'map' ? Object.fromEntries(list(2).map((one, i) => [`key ${i}`, one])) : drawOne(of, field);
  };
  const drawMessage = (of: MessageSchema, share: number): Plain => {
    const value: Plain = {};
    const oneofs = new Set<string>();
    for (const field of of.fields) {
      if (field.label !== 'required' && (fields > MAX_FIELDS || draw(share) > 0)) continue;
      if (field.oneof !== undefined && oneofs.has(field.oneof)) continue;
      if (field.oneof !== undefined) oneofs.add(field.oneof);
      fields++;
      value[field.name] = drawField(of, field);
    }
    return value;
  };
  return drawMessage(message, 2);
}

/** The value for protobufjs: numbers in place of bigints, and no nulls. */
const forOracle = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? Number(part) : oddDouble(part))));

const oddDouble = (part: unknown): unknown =>
  typeof part === 'number' && (!Number.isFinite(part) || Object.is(part, -0))
    ? `${Object.is(part, -0) ? '-0' : part}`
    : part;

/** The value of Mesos' JSON, which has the defaults of unset fields. */
function withDefaults(message: MessageSchema, value: Plain): Plain {
  const full: Plain = {};
  for (const field of message.fields) {
    if (message.name === 'AgentInfo' && field.name === 'checkpoint') continue;
    const is = value[field.name];
    const nested = field.kind === 'message' ? messages.get(field.type) : undefined;
    const deeper = (part: unknown) => (nested === undefined ? part : withDefaults(nested, part as Plain));
    if (is === undefined) {
      const written = field.label === 'optional' && field.defaultValue !== undefined && !field.deprecated;
      if (written) full[field.name] = field.defaultValue;
    } else if (field.label === 'repeated') full[field.name] = (is as unknown[]).map(deeper);
    else if (field.label === 'map') {
      full[field.name] = Object.fromEntries(Object.entries(is as Plain).map(([key, part]) => [key, deeper(part)]));
    } else full[field.name] = deeper(is);
  }
  return full;
}

function forEveryMessage(check: (message: MessageSchema, value: Plain) => void, numRuns: number): void {
  for (const message of schema.messages) {
    const property = fc.property(fc.integer(), (seed) => check(message, drawn(message, seed)));
    fc.assert(property, { numRuns: message.fields.length === 0 ? 1 : numRuns });
  }
}

test('every message has the bytes of protobufjs and decodes to the same value', () => {
  forEveryMessage((message, value) => {
    const type = root.lookupType(message.fullName);
    const codec = codecOf(message);
    const bytes = codec.encode(value);
    const expected = type.encode(type.fromObject(forOracle(value) as Plain)).finish();
    assert.equal(Buffer.from(bytes).toString('hex'), Buffer.from(expected).toString('hex'), message.fullName);
    assert.deepEqual(codec.decode(expected), { ok: true, value });
  }, 25);
});

test('the JSON of every message has its fields and defaults and gives the same value when read', () => {
  forEveryMessage((message, value) => {
    const codec = codecOf(message);
    const text = codec.write(value);
    const full = withDefaults(message, value);
    assert.deepEqual(codec.parse(text), { ok: true, value: full });
    assert.deepEqual(forOracle(JSON.parse(text)), forOracle(full));
    assert.deepEqual(codec.read(forOracle(value)), { ok: true, value });
  }, 25);
});

test('truncated, changed or random bytes give a value or an error with a path', () => {
  const hostile = fc.tuple(fc.integer(), fc.nat(), fc.nat(), fc.nat({ max: 255 }));
  for (const message of schema.messages) {
    const codec = codecOf(message);
    const property = fc.property(hostile, ([seed, cut, at, byte]) => {
      const bytes = codec.encode(drawn(message, seed));
      if (bytes.length === 0) return;
      checkOutcome(codec, bytes.subarray(0, cut % bytes.length));
      bytes[at % bytes.length] = byte;
      checkOutcome(codec, bytes);
    });
    fc.assert(property, { numRuns: 10 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => checkOutcome(codec, bytes)),
      { numRuns: 10 },
    );
  }
});

function checkOutcome(codec: Codec<Plain>, bytes: Uint8Array): void {
  const outcome = codec.decode(bytes);
  if (outcome.ok) {
    const again = codec.decode(codec.encode(outcome.value));
    assert.deepEqual(again, outcome);
  } else {
    assert.equal(outcome.error.message, codec.name);
    assert.notEqual(outcome.error.expected, '');
  }
}
