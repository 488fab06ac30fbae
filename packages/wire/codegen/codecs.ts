// Generates the codec of every message: an encoder and a decoder for protobuf, a writer and a reader for JSON. Code that all
// messages share is in src/.
import { decoderOf, encoderOf } from './codecs-binary.js';
import { readerOf, writerOf } from './codecs-json.js';
import type { EnumSchema, Schema } from './schema.js';

const HEAD = `// Generated from proto/ by codegen/codecs.ts.
import type { BinaryReader } from '../src/binary-reader.js';
import type { BinaryWriter } from '../src/binary-writer.js';
import { codec, type Codec } from '../src/codec.js';
import { enumNumber } from '../src/enums.js';
import { jsonArray, jsonBool, jsonDouble, jsonMap, jsonSigned, jsonString, jsonUnsigned } from '../src/json.js';
import { setEntry } from '../src/json-parser.js';
import * as json from '../src/json-reader.js';
import { missing, within } from '../src/wire-error.js';
import type * as T from './types.js';
`;

export function generateCodecs(schema: Schema): string {
  const parts = [HEAD];
  for (const e of schema.enums) parts.push(enumOf(e));
  for (const message of schema.messages) {
    const { name, fullName } = message;
    parts.push(encoderOf(message), decoderOf(message), writerOf(message), readerOf(message));
    const functions = `encode${name}, decode${name}, write${name}, read${name}`;
    parts.push(`export const ${name}Codec: Codec<T.${name}> = /* @__PURE__ */ codec('${fullName}', ${functions});\n`);
  }
  return parts.join('\n');
}

/** If names have the same number, a decoder returns the first. */
function enumOf({ name: type, values }: EnumSchema): string {
  const first = values.filter(([, number], i) => values.findIndex(([, other]) => other === number) === i);
  const numbers = values.map(([name, number]) => `['${name}', ${number}]`).join(', ');
  const names = first.map(([name, number]) => `[${number}, '${name}']`).join(', ');
  const pure = (types: string, entries: string) => `/* @__PURE__ */ new Map<${types}>([${entries}])`;
  return (
    `const numbersOf${type}: ReadonlyMap<T.${type}, number> = ${pure(`T.${type}, number`, numbers)};\n` +
    `const namesOf${type}: ReadonlyMap<number, T.${type}> = ${pure(`number, T.${type}`, names)};\n`
  );
}
