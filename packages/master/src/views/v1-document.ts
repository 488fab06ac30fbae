// The large v1 answers, declared once and rendered in either media type: a document is fields that hold lists of records.
// JSON shows a list also when it is empty, as Mesos does for these.
import type { Codec } from '@meseta/wire';
import { jsonDouble, jsonString } from '@meseta/wire/json';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';

/** A repeated field of messages, made from what the snapshot refers to only when it is their turn. */
export interface ListField {
  readonly name: string;
  readonly number: number;
  readonly texts: (mediaType: MediaType) => Iterable<string | Uint8Array>;
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

/** A list of `items`, each encoded as the message that `toMessage` makes of it. */
export const listField = <Item, Message>(
  name: string,
  number: number,
  items: readonly Item[],
  codec: Codec<Message>,
  toMessage: (item: Item) => Message,
): ListField => ({
  name,
  number,
  *texts(mediaType) {
    for (const item of items) {
      const message = toMessage(item);
      yield mediaType === JSON_TYPE ? codec.write(message) : codec.encode(message);
    }
  },
});

export type DocumentPieces = Generator<string | Uint8Array>;

/** `type` is field 1 of the enum `number`; `body` the field of the response that carries the answer. */
export function renderDocument(mediaType: MediaType, type: string, number: number, body: ObjectField): DocumentPieces {
  return mediaType === JSON_TYPE ? jsonDocument(type, body) : protobufDocument(number, body);
}

function* jsonDocument(type: string, body: ObjectField): DocumentPieces {
  yield `{"type":${jsonString(type)},`;
  yield* jsonField(body);
  yield '}';
}

function* jsonField(field: Field): DocumentPieces {
  if ('value' in field) {
    yield `${jsonString(field.name)}:${jsonDouble(field.value)}`;
    return;
  }
  const isList = 'texts' in field;
  yield `${jsonString(field.name)}:${isList ? '[' : '{'}`;
  let first = true;
  if (isList) {
    for (const text of field.texts(JSON_TYPE)) {
      yield first ? text : `,${text}`;
      first = false;
    }
  } else {
    for (const inner of field.fields) {
      if (!first) yield ',';
      yield* jsonField(inner);
      first = false;
    }
  }
  yield isList ? ']' : '}';
}

const lengthDelimited = 2;

function* protobufDocument(type: number, body: ObjectField): DocumentPieces {
  yield Uint8Array.of(1 << 3, ...varint(type));
  const { pieces } = yield* protobufField(body);
  yield* pieces;
}

interface Encoded {
  readonly pieces: Uint8Array[];
  readonly bytes: number;
}

/** Lengths stand before contents, so the contents are made first; an empty piece a record lets others have their turn. */
function* protobufField(field: Field): Generator<string, Encoded> {
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
  if ('texts' in field) {
    for (const text of field.texts('application/x-protobuf')) {
      const record = text as Uint8Array;
      add(headOf(field.number, record.length));
      add(record);
      yield '';
    }
    return { pieces, bytes };
  }
  for (const inner of field.fields) {
    const encoded = yield* protobufField(inner);
    for (const piece of encoded.pieces) add(piece);
  }
  const head = headOf(field.number, bytes);
  return { pieces: [head, ...pieces], bytes: bytes + head.length };
}

const headOf = (field: number, length: number): Uint8Array =>
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
