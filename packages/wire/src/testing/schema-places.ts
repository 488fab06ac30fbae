// Every place in a message where something can be wrong: its fields and those of the messages in it, by the schema.
import { type FieldSchema, type MessageSchema, readSchema } from '../../codegen/schema.js';

/** A message as JSON has it. */
export type Plain = { readonly [field: string]: unknown };

/** The way from a message to a field: the last step is the field itself. */
export interface Place {
  readonly steps: readonly FieldSchema[];
  /** `subscribe.framework_info.user` */
  readonly text: string;
}

/** In a place: the field is not there. */
export const ABSENT = Symbol('absent');

export type SchemaPlaces = ReturnType<typeof createSchemaPlaces>;

/** `protoDirectory` from the checkout's root, where tests run. */
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

  /** All places of a message; one that contains itself is entered once. */
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

  /** The smallest message that can be read: its required fields. */
  function minimal(name: string): Plain {
    const plain: Record<string, unknown> = {};
    for (const field of message(name).fields) if (field.label === 'required') plain[field.name] = sample(field);
    return plain;
  }

  /** A usual value for one element of a field. */
  function sample({ type, kind }: FieldSchema): unknown {
    if (kind === 'message') return minimal(type);
    if (kind === 'enum') return valuesOf(type).at(-1);
    if (type === 'string') return 'text';
    if (type === 'bytes') return 'AAAA';
    return type === 'bool' ? true : 1;
  }

  /** `plain` with `value` in `place`; what is missing on the way there is made, and of a list the first is taken. */
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
