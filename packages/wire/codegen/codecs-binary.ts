// Generates the protobuf functions of a codec. Encoders write backwards (src/binary-writer.ts): the last field first, the
// last element first, a value before its tag.
import { pushAll } from '@meseta/base';
import { isIdText, itemLimitOf } from './item-limits.js';
import type { FieldSchema, MessageSchema } from './schema.js';
import { isBigInt, typeOf } from './types.js';

const WIRE_TYPES: Readonly<Record<string, number>> = {
  double: 1,
  string: 2,
  bytes: 2,
  bool: 0,
  int32: 0,
  int64: 0,
  uint32: 0,
  uint64: 0,
};

const METHODS: Readonly<Record<string, string>> = {
  double: 'double',
  string: 'string',
  bytes: 'bytes',
  bool: 'bool',
  int32: 'signed32',
  int64: 'signed64',
  uint32: 'unsigned',
  uint64: 'unsigned64',
};

function wireTypeOf(field: FieldSchema): number {
  if (field.kind === 'message' || field.label === 'map') return 2;
  if (field.kind === 'enum') return 0;
  const wireType = WIRE_TYPES[field.type];
  if (wireType === undefined) throw new Error(`no wire type for ${field.type}`);
  return wireType;
}

const tagOf = (field: FieldSchema): number => (field.number << 3) | wireTypeOf(field);
const methodOf = (message: MessageSchema, field: FieldSchema): string =>
  isBigInt(message, field) ? 'bigint' : (METHODS[field.type] as string);

function encodeValue(message: MessageSchema, field: FieldSchema, value: string): string {
  if (field.kind === 'message')
    return `{ const before = w.written(); encode${field.type}(w, ${value}); w.length(before); }`;
  if (field.kind === 'enum') return `w.signed32(enumNumber(numbersOf${field.type}, ${value}));`;
  return `w.${methodOf(message, field)}(${value});`;
}

export function encoderOf(message: MessageSchema): string {
  const lines = [`function encode${message.name}(w: BinaryWriter, m: T.${message.name}): void {`];
  for (const field of [...message.fields].reverse()) {
    const value = `m.${field.name}`;
    const local = `v${field.number}`;
    const tag = `w.tag(${tagOf(field)});`;
    if (field.label === 'required') {
      lines.push(`  ${encodeValue(message, field, value)} ${tag}`);
      continue;
    }
    lines.push(`  const ${local} = ${value};`, `  if (${local} !== undefined) {`);
    if (field.label === 'optional') {
      lines.push(`    ${encodeValue(message, field, local)} ${tag}`);
    } else if (field.label === 'repeated') {
      lines.push(
        `    for (let i = ${local}.length - 1; i >= 0; i--) {`,
        `      const e = ${local}[i] as ${elementType(message, field)};`,
        `      ${encodeValue(message, field, 'e')} ${tag}`,
        '    }',
      );
    } else {
      lines.push(
        `    const keys = Object.keys(${local});`,
        '    for (let i = keys.length - 1; i >= 0; i--) {',
        '      const key = keys[i] as string;',
        `      const e = ${local}[key] as ${elementType(message, field)};`,
        '      const entry = w.written();',
        `      ${encodeValue(message, field, 'e')} w.tag(${(2 << 3) | valueWireType(field)});`,
        '      w.string(key); w.tag(10);',
        `      w.length(entry); ${tag}`,
        '    }',
      );
    }
    lines.push('  }');
  }
  lines.push('}', '');
  return lines.join('\n');
}

function valueWireType(field: FieldSchema): number {
  return field.kind === 'message' ? 2 : wireTypeOf({ ...field, label: 'optional' });
}

function elementType(message: MessageSchema, field: FieldSchema): string {
  return typeOf(message, { ...field, label: 'optional' }, 'T.');
}

function decodeValue(message: MessageSchema, field: FieldSchema): string {
  if (field.kind === 'message') return `decode${field.type}(r, r.end(end), depth + 1)`;
  if (field.kind === 'enum') return `namesOf${field.type}.get(r.signed32())`;
  if (isIdText(message, field)) return 'r.id(end)';
  const method = methodOf(message, field);
  return `r.${method}(${method === 'string' || method === 'bytes' ? 'end' : ''})`;
}

function decodeCase(message: MessageSchema, field: FieldSchema): string[] {
  const local = `v${field.number}`;
  const value = decodeValue(message, field);
  const keep = field.kind === 'enum' ? ` ?? ${local}` : '';
  if (field.label === 'required' || field.label === 'optional') {
    return [`        case ${tagOf(field)}: ${local} = ${value}${keep}; break;`];
  }
  if (field.label === 'map') return decodeMapCase(message, field);
  const countItem = `r.item(${local}.length, ${itemLimitOf(message, field)});`;
  if (wireTypeOf(field) === 2) {
    return [
      `        case ${tagOf(field)}: if (${local} === undefined) ${local} = [${value}]; else { ${countItem} ${local}.push(${value}); } break;`,
    ];
  }
  const push =
    field.kind === 'enum'
      ? `const e = ${value}; if (e !== undefined) { if (${local} === undefined) ${local} = [e]; else { ${countItem} ${local}.push(e); } }`
      : `const e = ${value}; if (${local} === undefined) ${local} = [e]; else { ${countItem} ${local}.push(e); }`;
  return [
    `        case ${tagOf(field)}: { ${push} break; }`,
    `        case ${(field.number << 3) | 2}: {`,
    '          const packed = r.end(end);',
    `          while (r.position < packed) { ${push} }`,
    '          r.finish(packed); break;',
    '        }',
  ];
}

function decodeMapCase(message: MessageSchema, field: FieldSchema): string[] {
  const local = `v${field.number}`;
  const unset = field.kind === 'message' ? `decode${field.type}(r, r.position, depth + 1)` : "''";
  const value = field.kind === 'message' ? `decode${field.type}(r, r.end(entry), depth + 1)` : 'r.string(entry)';
  if (field.kind !== 'message' && field.type !== 'string')
    throw new Error(`${message.fullName}.${field.name}: a map of ${field.type}`);
  return [
    `        case ${tagOf(field)}: {`,
    `          r.entry(${local}Entries++, ${itemLimitOf(message, field)});`,
    '          const entry = r.end(end);',
    "          let key = '';",
    `          let value: ${elementType(message, field)} | undefined;`,
    '          while (r.position < entry) {',
    '            const inner = r.tag();',
    '            if (inner === 10) key = r.string(entry);',
    `            else if (inner === 18) value = ${value};`,
    '            else r.skip(inner, entry, depth);',
    '          }',
    '          r.finish(entry);',
    `          setEntry(${local} ??= {}, key, value ?? ${unset});`,
    '          break;',
    '        }',
  ];
}

export function decoderOf(message: MessageSchema): string {
  const { name } = message;
  const lines = [`function decode${name}(r: BinaryReader, end: number, depth: number): T.${name} {`];
  lines.push('  r.enter(depth);');
  for (const field of message.fields) {
    const one = elementType(message, field);
    const type = field.label === 'repeated' ? `${one}[]` : field.label === 'map' ? `Record<string, ${one}>` : one;
    lines.push(`  let v${field.number}: ${type} | undefined;`);
    if (field.label === 'map') lines.push(`  let v${field.number}Entries = 0;`);
  }
  lines.push(
    '  let tag = 0;',
    '  try {',
    '    while (r.position < end) {',
    '      tag = r.tag();',
    '      switch (tag) {',
  );
  for (const field of message.fields) pushAll(lines, decodeCase(message, field));
  lines.push('        default: r.skip(tag, end, depth);', '      }', '    }', '    r.finish(end);');
  lines.push('  } catch (error) {', `    throw within(error, fieldOf${name}(tag));`, '  }');
  pushAll(lines, recordOf(message));
  lines.push('}', '');
  lines.push(`function fieldOf${name}(tag: number): string {`, '  switch (tag >>> 3) {');
  for (const field of message.fields) lines.push(`    case ${field.number}: return '${field.name}';`);
  lines.push("    default: return '';", '  }', '}', '');
  return lines.join('\n');
}

/** The lines that build the record from the local variables, in the order of the field numbers. */
export function recordOf(message: MessageSchema): string[] {
  const lines = message.fields
    .filter((field) => field.label === 'required')
    .map((field) => `  if (v${field.number} === undefined) throw missing('${field.name}', '${expectedOf(field)}');`);
  const firstOptional = message.fields.findIndex((field) => field.label !== 'required');
  const leading = firstOptional < 0 ? message.fields : message.fields.slice(0, firstOptional);
  const literal = `{ ${leading.map((field) => `${field.name}: v${field.number}`).join(', ')} }`;
  if (firstOptional < 0) return [...lines, `  return ${literal};`];
  lines.push(`  const m: { -readonly [K in keyof T.${message.name}]?: T.${message.name}[K] } = ${literal};`);
  for (const field of message.fields.slice(firstOptional)) {
    const set = `m.${field.name} = v${field.number};`;
    lines.push(field.label === 'required' ? `  ${set}` : `  if (v${field.number} !== undefined) ${set}`);
  }
  lines.push(`  return m as T.${message.name};`);
  return lines;
}

function expectedOf(field: FieldSchema): string {
  if (field.kind === 'message') return 'an object';
  if (field.kind === 'enum') return 'the name of an enum value';
  if (field.type === 'bool') return 'a boolean';
  if (field.type === 'string') return 'a string';
  return field.type === 'bytes' ? 'bytes' : 'a number';
}
