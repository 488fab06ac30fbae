// Generates a readonly interface for each message and a union of names for each enum.
import type { FieldSchema, MessageSchema, Schema } from './schema.js';

const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  bytes: 'string',
  bool: 'boolean',
  double: 'number',
  float: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'number',
  uint64: 'number',
};

/** Absolute times in nanoseconds need more than 53 bits. */
export function isBigInt(message: MessageSchema, field: FieldSchema): boolean {
  return message.name === 'TimeInfo' && field.name === 'nanoseconds';
}

/** The TypeScript type of a field that is set, with `prefix` before the names of messages and enums. */
export function typeOf(message: MessageSchema, field: FieldSchema, prefix = ''): string {
  const scalar = isBigInt(message, field) ? 'bigint' : SCALARS[field.type];
  const one = field.kind === 'scalar' ? scalar : prefix + field.type;
  if (one === undefined) throw new Error(`${message.fullName}.${field.name}: no TypeScript type for ${field.type}`);
  if (field.label === 'map') return `{ readonly [key: string]: ${one} }`;
  return field.label === 'repeated' ? `readonly ${one}[]` : one;
}

export function generateTypes(schema: Schema): string {
  const lines = ['// Generated from proto/ by codegen/types.ts.', ''];
  for (const e of schema.enums) {
    lines.push(`/** ${e.fullName} */`, `export type ${e.name} =`);
    lines.push(`${e.values.map(([name]) => `  | '${name}'`).join('\n')};`, '');
  }
  for (const message of schema.messages) {
    lines.push(`/** ${message.fullName} */`, `export interface ${message.name} {`);
    for (const field of message.fields) {
      const notes = [
        field.type === 'bytes' ? 'Base64.' : '',
        field.defaultValue === undefined ? '' : `Unset means ${JSON.stringify(field.defaultValue)}.`,
        field.deprecated ? 'Deprecated.' : '',
      ].filter((note) => note !== '');
      if (notes.length > 0) lines.push(`  /** ${notes.join(' ')} */`);
      const type = typeOf(message, field);
      lines.push(
        field.label === 'required'
          ? `  readonly ${field.name}: ${type};`
          : `  readonly ${field.name}?: ${type} | undefined;`,
      );
    }
    lines.push('}', '');
  }
  return lines.join('\n');
}
