// The places of a message by the schema: its fields and those of the messages in it.
import { type FieldSchema, type MessageSchema, readSchema } from '../../codegen/schema.js';

/** A message in the shape of its JSON. */
export type Plain = { readonly [field: string]: unknown };

/** The path from a message to a field, which is the last step. */
export interface Place {
  readonly steps: readonly FieldSchema[];
  /** `subscribe.framework_info.user` */
  readonly text: string;
}

/** Stands for a missing field. */
export const ABSENT = Symbol('absent');

export type SchemaPlaces = ReturnType<typeof createSchemaPlaces>;

/** `protoDirectory` is relative to the root of the checkout, where tests run. */
export function createSchemaPlaces(protoDirectory = 'packages/wire/proto') {
  const schema = readSchema(protoDirectory);
  const byName: ReadonlyMap<string, MessageSchema> = new Map(schema.messages.map((each) => [each.name, each]));
  const enums = new Map(schema.enums.map((each) => [each.name, new Map(each.values)]));

  function message(name: string): MessageSchema {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`no message ${name}`);
    return found;
  }

  const valuesOf = (enumName: string): readonly string[] => [...(enums.get(enumName)?.keys() ?? [])];
  const numberOf = (enumName: string, value: string): number => enums.get(enumName)?.get(value) ?? 0;

  /** All places of a message. A message that contains itself is entered once. */
  function placesOf(root: string, maxDepth = 12): Place[] {
    const places: Place[] = [];
    const visit = (within: MessageSchema, steps: readonly FieldSchema[], entered: readonly string[]): void => {
      for (const field of within.fields) {
        const way = [...steps, field];
        places.push({ steps: way, text: way.map(({ name }) => name).join('.') });
        const isNew = field.kind === 'message' && !entered.includes(field.type);
        if (isNew && way.length < maxDepth) visit(message(field.type), way, [...entered, field.type]);
      }
    };
    visit(message(root), [], [root]);
    return places;
  }

  /** The smallest valid message: its required fields. */
  function minimal(name: string): Plain {
    const plain: Record<string, unknown> = {};
    for (const field of message(name).fields) if (field.label === 'required') plain[field.name] = sample(field);
    return plain;
  }

  /** An ordinary value for one element of a field. */
  function sample({ type, kind }: FieldSchema): unknown {
    if (kind === 'message') return minimal(type);
    if (kind === 'enum') return valuesOf(type).at(-1);
    if (type === 'string') return 'text';
    if (type === 'bytes') return 'AAAA';
    return type === 'bool' ? true : 1;
  }

  /** Returns `plain` with `value` at the place. Missing messages on the path are added; in a list the first element is changed. */
  function put(plain: Plain, { steps }: Pick<Place, 'steps'>, value: unknown): Plain {
    const [field, ...rest] = steps;
    if (field === undefined) return plain;
    if (rest.length === 0) {
      const { [field.name]: _, ...others } = plain;
      return value === ABSENT ? others : { ...plain, [field.name]: value };
    }
    const inner = (before: unknown): Plain =>
      put((before as Plain | undefined) ?? minimal(field.type), { steps: rest }, value);
    const old = plain[field.name];
    if (field.label === 'repeated') {
      const list = Array.isArray(old) ? (old as readonly unknown[]) : [];
      return { ...plain, [field.name]: [inner(list[0]), ...list.slice(1)] };
    }
    if (field.label === 'map') {
      const [key = 'cpus', first] = Object.entries((old as Plain | undefined) ?? {})[0] ?? [];
      return { ...plain, [field.name]: { ...(old as Plain | undefined), [key]: inner(first) } };
    }
    return { ...plain, [field.name]: inner(old) };
  }

  return { messages: schema.messages, message, valuesOf, numberOf, placesOf, minimal, sample, put };
}
