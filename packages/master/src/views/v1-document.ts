// The large v1 answers. A document is declared once, as fields with lists of records, and rendered in either media type.
// As in Mesos, JSON has empty lists too.
import type { Codec } from '@meseta/wire';
import { jsonDouble, jsonString } from '@meseta/wire/json';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import type { Pieces } from './pieces.js';
import { jsonElements, type Lists } from './runs.js';

/** A repeated field of messages. They are encoded when the rendering reaches them, one piece per run. */
export interface ListField {
  readonly name: string;
  readonly number: number;
  json(lists: Lists): Generator<Uint8Array>;
  protobuf(lists: Lists): Generator<Uint8Array>;
}

/** A double. */
export interface NumberField {
  readonly name: string;
  readonly number: number;
  readonly value: number;
}

export interface ObjectField {
  readonly name: string;
  readonly number: number;
  readonly fields: readonly Field[];
}

export type Field = ListField | ObjectField | NumberField;

/**
 * A list of `items`, each encoded as the message that `toMessage` returns. `key` identifies the list's runs and is unique in
 * the document.
 */
export const listField = <Item extends object, Message>(
  [name, number]: readonly [name: string, number: number],
  key: string,
  items: readonly Item[],
  codec: Codec<Message>,
  toMessage: (item: Item) => Message,
): ListField => ({
  name,
  number,
  json: (lists) => jsonElements(lists, key, items, (item) => codec.write(toMessage(item))),
  protobuf: (lists) => lists.list(key, items, (run) => codec.encodeList(number, run.map(toMessage))),
});

/** `type` is field 1 with the enum value `number`; `body` is the field with the answer. */
export function renderDocument(
  mediaType: MediaType,
  [type, number]: readonly [type: string, number: number],
  body: ObjectField,
  lists: Lists,
): Pieces {
  return mediaType === JSON_TYPE ? jsonDocument(type, body, lists) : protobufDocument(number, body, lists);
}

function* jsonDocument(type: string, body: ObjectField, lists: Lists): Pieces {
  yield `{"type":${jsonString(type)},`;
  yield* jsonField(body, lists);
  yield '}';
}

function* jsonField(field: Field, lists: Lists): Pieces {
  if ('value' in field) {
    yield `${jsonString(field.name)}:${jsonDouble(field.value)}`;
    return;
  }
  const isList = 'json' in field;
  yield `${jsonString(field.name)}:${isList ? '[' : '{'}`;
  if (isList) {
    yield* field.json(lists);
  } else {
    for (const [i, inner] of field.fields.entries()) {
      if (i > 0) yield ',';
      yield* jsonField(inner, lists);
    }
  }
  yield isList ? ']' : '}';
}

const lengthDelimited = 2;

function* protobufDocument(type: number, body: ObjectField, lists: Lists): Pieces {
  yield Uint8Array.from([1 << 3, ...varint(type)]);
  const { pieces } = yield* protobufField(body, lists);
  yield* pieces;
}

interface Encoded {
  readonly pieces: Uint8Array[];
  readonly bytes: number;
}

/** A length precedes its contents, so contents are encoded first. An empty piece per run lets the render queue switch. */
function* protobufField(field: Field, lists: Lists): Generator<string, Encoded> {
  if ('value' in field) {
    const piece = doubleField(field.number, field.value);
    return { pieces: [piece], bytes: piece.length };
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const add = (piece: Uint8Array): void => {
    pieces.push(piece);
    bytes += piece.length;
  };
  if ('protobuf' in field) {
    for (const run of field.protobuf(lists)) {
      add(run);
      yield '';
    }
    return { pieces, bytes };
  }
  for (const inner of field.fields) {
    const encoded = yield* protobufField(inner, lists);
    for (const piece of encoded.pieces) add(piece);
  }
  const head = headOf(field.number, bytes);
  return { pieces: [head, ...pieces], bytes: bytes + head.length };
}

export const headOf = (field: number, length: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + lengthDelimited), ...varint(length)]);

const fixed64 = 1;

function doubleField(number: number, value: number): Uint8Array {
  const head = varint(number * 8 + fixed64);
  const bytes = new Uint8Array(head.length + 8);
  bytes.set(head);
  new DataView(bytes.buffer).setFloat64(head.length, value, true);
  return bytes;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}
