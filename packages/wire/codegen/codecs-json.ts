// Generates the JSON functions of a codec: writers append strings, readers read each field of a parsed object by name.
import { pushAll } from '@meseta/base';
import { recordOf } from './codecs-binary.js';
import { isIdText, itemLimitOf } from './item-limits.js';
import type { FieldSchema, MessageSchema } from './schema.js';
import { isBigInt, typeOf } from './types.js';

const WRITERS: Readonly<Record<string, string>> = {
  double: 'jsonDouble',
  string: 'jsonString',
  bytes: 'jsonString',
  bool: 'jsonBool',
  int32: 'jsonSigned',
  int64: 'jsonSigned',
  uint32: 'jsonUnsigned',
  uint64: 'jsonUnsigned',
};

const READERS: Readonly<Record<string, string>> = {
  double: 'json.readDouble',
  string: 'json.readString',
  bytes: 'json.readBytes',
  bool: 'json.readBool',
  int32: 'json.readInt32',
  int64: 'json.readInt64',
  uint32: 'json.readUint32',
  uint64: 'json.readUint64',
};

function writerName(field: FieldSchema): string {
  if (field.kind === 'message') return `write${field.type}`;
  return field.kind === 'enum' ? 'jsonString' : (WRITERS[field.type] as string);
}

/** The expression for the text of a value. Names of enum values and base64 need no escaping. */
function writeValue(field: FieldSchema, value: string): string {
  if (field.label === 'repeated') return `jsonArray(${value}, ${writerName(field)})`;
  if (field.label === 'map') return `jsonMap(${value}, ${writerName(field)})`;
  if (field.kind === 'enum' || field.type === 'bytes') return `'"' + ${value} + '"'`;
  return `${writerName(field)}(${value})`;
}

/** The text that Mesos writes for an unset field; undefined if Mesos omits the field. */
function defaultText(field: FieldSchema): string | undefined {
  if (field.defaultValue === undefined || field.deprecated || field.label !== 'optional') return undefined;
  if (field.kind === 'enum' || field.type === 'string') return JSON.stringify(field.defaultValue);
  const text = String(field.defaultValue);
  return field.type === 'double' && /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** A field that Mesos has in v0 messages, but neither in v1 JSON nor in the documents of v0 endpoints. */
function isBinaryOnly(message: MessageSchema, field: FieldSchema): boolean {
  return message.name === 'AgentInfo' && field.name === 'checkpoint';
}

/**
 * Writers only append: removing a comma would make V8 copy the text at every level. After a field that is always written
 * the generator knows what precedes a key; before it the writer checks at run time.
 */
export function writerOf(message: MessageSchema): string {
  if (message.fields.length === 0) {
    return `function write${message.name}(_m: T.${message.name}): string {\n  return '{}';\n}\n`;
  }
  const lines: string[] = [];
  let opened: 'no' | 'perhaps' | 'yes' = 'no';
  for (const field of message.fields) {
    if (isBinaryOnly(message, field)) continue;
    const key = (mark: string, more = '') => `'${mark}"${field.name}":${more}'`;
    const start = (more = ''): string => {
      if (opened === 'perhaps') return `(t === '' ? ${key('{', more)} : ${key(',', more)})`;
      return key(opened === 'no' ? '{' : ',', more);
    };
    const value = `m.${field.name}`;
    const unset = defaultText(field);
    const set = `t += ${start()} + ${writeValue(field, value)};`;
    if (field.label === 'required') lines.push(`  ${set}`);
    else if (unset === undefined) lines.push(`  if (${value} !== undefined) ${set}`);
    else lines.push(`  if (${value} !== undefined) ${set} else t += ${start(unset)};`);
    opened = field.label === 'required' || unset !== undefined ? 'yes' : opened === 'no' ? 'perhaps' : opened;
  }
  const end = opened === 'yes' ? "t + '}'" : "t === '' ? '{}' : t + '}'";
  return [
    `function write${message.name}(m: T.${message.name}): string {`,
    "  let t = '';",
    ...lines,
    `  return ${end};`,
    '}',
    '',
  ].join('\n');
}

function readerFunction(message: MessageSchema, field: FieldSchema): string {
  if (isBigInt(message, field)) return 'json.readBigint';
  if (field.kind === 'message') return `read${field.type}`;
  if (field.kind === 'enum') return `(e) => json.readEnum(e, numbersOf${field.type})`;
  return READERS[field.type] as string;
}

function readValue(message: MessageSchema, field: FieldSchema): string {
  const read = readerFunction(message, field);
  if (field.label === 'repeated')
    return `json.readList(j, depth + 1, ${read}, ${itemLimitOf(message, field)}, limited)`;
  if (field.label === 'map') {
    const orEmpty = field.kind === 'message' ? `(e, d, l) => ${read}(e ?? {}, d, l)` : `(e) => ${read}(e ?? '')`;
    return `json.readMap(j, depth + 1, ${orEmpty}, ${itemLimitOf(message, field)}, limited)`;
  }
  if (field.kind === 'message') return `${read}(j, depth + 1, limited)`;
  if (field.kind === 'enum') {
    return `json.${field.label === 'required' ? 'readRequiredEnum' : 'readEnum'}(j, numbersOf${field.type})`;
  }
  return isIdText(message, field) ? 'json.readId(j, limited)' : `${read}(j)`;
}

export function readerOf(message: MessageSchema): string {
  const { name, fields } = message;
  const limited = fields.some(
    (field) =>
      field.kind === 'message' || field.label === 'repeated' || field.label === 'map' || isIdText(message, field),
  );
  const lines = [
    `function read${name}(from: unknown, depth: number, ${limited ? 'limited' : '_limited'}: boolean): T.${name} {`,
  ];
  if (fields.length === 0) lines.push('  json.readObject(from, depth);', '  return {};', '}', '');
  if (fields.length === 0) return lines.join('\n');
  lines.push('  const o = json.readObject(from, depth);');
  for (const field of fields) {
    const type = typeOf(message, field, 'T.');
    lines.push(`  let v${field.number}: ${type} | undefined;`);
  }
  lines.push("  let at = '';", '  try {', '    let j: unknown;');
  for (const field of fields) {
    if (field.name in Object.prototype) throw new Error(`${message.fullName}.${field.name}: every object has this`);
    lines.push(
      `    j = o['${field.name}'];`,
      `    if (j !== undefined && j !== null) { at = '${field.name}'; v${field.number} = ${readValue(message, field)}; }`,
    );
  }
  lines.push('  } catch (error) {', '    throw within(error, at);', '  }');
  pushAll(lines, recordOf(message));
  lines.push('}', '');
  return lines.join('\n');
}
