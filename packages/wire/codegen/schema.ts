// Reads the .proto files into the description that the generators share: every message and enum with its name in
// TypeScript.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';

/** The prefix of a package's messages in TypeScript (docs/contributing/add-a-message.md). */
const PREFIXES: Readonly<Record<string, string>> = {
  'google.protobuf': 'Google',
  'mesos.v0.scheduler': 'SchedulerV0',
  'mesos.v1': '',
  'mesos.v1.agent': 'Agent',
  'mesos.v1.allocator': '',
  'mesos.v1.authorization': 'Authorization',
  'mesos.v1.executor': 'Executor',
  'mesos.v1.maintenance': 'Maintenance',
  'mesos.v1.master': 'Master',
  'mesos.v1.quota': '',
  'mesos.v1.resource_provider': 'ResourceProvider',
  'mesos.v1.resource_provider.registry': 'ResourceProviderRegistry',
  'mesos.v1.scheduler': 'Scheduler',
  'mesos.internal': '',
  'mesos.internal.agent.cni.spec': 'Cni',
};

export interface FieldSchema {
  readonly name: string;
  readonly number: number;
  readonly label: 'required' | 'optional' | 'repeated' | 'map';
  /** A protobuf scalar type, or the TypeScript name of a message or an enum. */
  readonly type: string;
  readonly kind: 'scalar' | 'message' | 'enum';
  /** The declared default, as in the .proto. */
  readonly defaultValue: string | number | boolean | undefined;
  readonly oneof: string | undefined;
  readonly deprecated: boolean;
}

export interface MessageSchema {
  readonly name: string;
  readonly fullName: string;
  /** In the order of their numbers. */
  readonly fields: readonly FieldSchema[];
}

export interface EnumSchema {
  readonly name: string;
  readonly fullName: string;
  readonly values: readonly (readonly [name: string, number: number])[];
}

export interface Schema {
  readonly messages: readonly MessageSchema[];
  readonly enums: readonly EnumSchema[];
}

export function loadRoot(protoDirectory: string): protobuf.Root {
  const root = new protobuf.Root();
  for (const file of readdirSync(protoDirectory).sort()) {
    if (!file.endsWith('.proto')) continue;
    protobuf.parse(readFileSync(join(protoDirectory, file), 'utf8'), root, { keepCase: true });
  }
  root.resolveAll();
  return root;
}

export function readSchema(protoDirectory: string): Schema {
  const messages: MessageSchema[] = [];
  const enums: EnumSchema[] = [];
  const visit = (node: protobuf.NamespaceBase): void => {
    for (const child of node.nestedArray) {
      if (child instanceof protobuf.Type) messages.push(messageOf(child));
      if (child instanceof protobuf.Enum) enums.push(enumOf(child));
      if (child instanceof protobuf.Namespace) visit(child);
    }
  };
  visit(loadRoot(protoDirectory));
  assertUnique([...messages, ...enums]);
  return { messages, enums };
}

function messageOf(type: protobuf.Type): MessageSchema {
  const fields = [...type.fieldsArray].sort((a, b) => a.id - b.id).map(fieldOf);
  return { name: typeScriptName(type), fullName: type.fullName.slice(1), fields };
}

function enumOf(type: protobuf.Enum): EnumSchema {
  return { name: typeScriptName(type), fullName: type.fullName.slice(1), values: Object.entries(type.values) };
}

function fieldOf(field: protobuf.Field): FieldSchema {
  const target = field.resolvedType;
  return {
    name: field.name,
    number: field.id,
    label: field.map ? 'map' : field.repeated ? 'repeated' : field.required ? 'required' : 'optional',
    type: target ? typeScriptName(target) : field.type,
    kind: target instanceof protobuf.Enum ? 'enum' : target ? 'message' : 'scalar',
    defaultValue: field.options?.['default'] as string | number | boolean | undefined,
    oneof: field.partOf?.name,
    deprecated: field.options?.['deprecated'] === true,
  };
}

function typeScriptName(node: protobuf.ReflectionObject): string {
  const path: string[] = [];
  let at: protobuf.ReflectionObject | null = node;
  while (at instanceof protobuf.Type || at instanceof protobuf.Enum) {
    path.unshift(at.name);
    at = at.parent;
  }
  const packageName = at?.fullName.slice(1) ?? '';
  const prefix = PREFIXES[packageName];
  if (prefix === undefined) throw new Error(`no TypeScript prefix for the package ${packageName}`);
  const name = path.join('');
  return prefix !== '' && name.startsWith(prefix) ? name : prefix + name;
}

function assertUnique(named: readonly { name: string; fullName: string }[]): void {
  const seen = new Map<string, string>();
  for (const { name, fullName } of named) {
    const other = seen.get(name);
    if (other !== undefined) throw new Error(`${fullName} and ${other} are both ${name} in TypeScript`);
    seen.set(name, fullName);
  }
}
