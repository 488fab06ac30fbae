import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInfo } from '@meseta/wire';
import { type FieldSchema, readSchema } from '../../../wire/codegen/schema.js';
import { unsupportedPart, unsupportedPodPart } from './supported.js';

const schema = readSchema('packages/wire/proto');
const messages = new Map(schema.messages.map((message) => [message.name, message]));
const enums = new Map(schema.enums.map(({ name, values }) => [name, values.map(([value]) => value)]));

/** What this launcher provides, by the values of the fields; anything else has to be refused. */
const PROVIDED: Readonly<Record<string, readonly unknown[] | 'any'>> = {
  type: ['MESOS'],
  'volumes.container_path': ['a-name'],
  'volumes.mode': ['RW'],
  'volumes.source.type': ['SANDBOX_PATH'],
  'volumes.source.sandbox_path.type': ['SELF', 'PARENT'],
  'volumes.source.sandbox_path.path': ['a-name'],
  'network_infos.labels': 'any',
  'network_infos.ip_addresses.protocol': 'any',
  'linux_info.share_pid_namespace': 'any',
  'linux_info.seccomp.unconfined': 'any',
  'linux_info.ipc_mode': ['UNKNOWN', 'SHARE_PARENT'],
  'linux_info.share_cgroups': 'any',
  rlimit_info: 'any',
};

const SCALARS: Readonly<Record<string, readonly unknown[]>> = {
  string: ['a-name', '/absolute', '../outside'],
  bool: [true, false],
  bytes: ['AAAA'],
};

/** Some values of a field's own type, messages with nothing in them. */
function valuesOf({ kind, type }: FieldSchema): readonly unknown[] {
  if (kind === 'enum') return enums.get(type) ?? [];
  return kind === 'message' ? [{}] : (SCALARS[type] ?? [1]);
}

/** Every field that a container can ask for, with values; of messages that are looked into, their fields. */
function* askedFor(
  message: string,
  at: readonly FieldSchema[] = [],
): Generator<readonly [string, unknown, ContainerInfo]> {
  for (const field of messages.get(message)?.fields ?? []) {
    const path = [...at, field];
    const name = path.map((part) => part.name).join('.');
    const isLookedInto = (): boolean => unsupportedPart(containerOf(path, {}), { isNested: true }) === undefined;
    if (field.kind === 'message' && PROVIDED[name] === undefined && isLookedInto()) {
      yield* askedFor(field.type, path);
      continue;
    }
    for (const value of valuesOf(field)) yield [name, value, containerOf(path, value)];
  }
}

function containerOf(path: readonly FieldSchema[], value: unknown): ContainerInfo {
  const nested = path.reduceRight<unknown>(
    (inner, { name, label }) => ({ [name]: label === 'repeated' ? [inner] : inner }),
    path.at(-1)?.label === 'map' ? { key: value } : value,
  );
  return nested as ContainerInfo;
}

test('SUPPORTED-1: whatever field of the schema a container sets is provided, or refused by its name', () => {
  const seen = new Set<string>();
  for (const [name, value, container] of askedFor('ContainerInfo')) {
    const provided = PROVIDED[name];
    const problem = unsupportedPart(container, { isNested: true });
    seen.add(name);
    if (provided === 'any' || provided?.includes(value)) assert.equal(problem, undefined, name);
    else {
      assert.ok(problem !== undefined, `${name} is neither provided nor refused`);
      const named = problem.slice(0, problem.indexOf(': ')).replaceAll(/^container\.|\[\d+\]/g, '');
      assert.equal(named, name);
    }
  }
  // Every row above is of a field, and the large messages were gone into.
  for (const name of Object.keys(PROVIDED)) assert.ok(seen.has(name), name);
  assert.ok(seen.size > 30, `${seen.size} fields`);
});

const parent = (type: 'PARENT' | 'SELF'): ContainerInfo => ({
  type: 'MESOS',
  volumes: [{ container_path: 'v', mode: 'RW', source: { type: 'SANDBOX_PATH', sandbox_path: { type, path: 'p' } } }],
});

test('a parent can be shared only where there is one', () => {
  assert.match(
    unsupportedPart(parent('PARENT'), { isNested: false }) ?? '',
    /sandbox_path\.type: PARENT needs a parent/,
  );
  assert.equal(unsupportedPart(parent('PARENT'), { isNested: true }), undefined);
  assert.equal(unsupportedPart(parent('SELF'), { isNested: false }), undefined);
});

test('what asks for nothing is taken: no fields, empty lists, the network of the host', () => {
  const containers: readonly ContainerInfo[] = [
    { type: 'MESOS' },
    { type: 'MESOS', mesos: {}, volumes: [], network_infos: [{}], linux_info: {} },
    { type: 'MESOS', network_infos: [{ ip_addresses: [{ protocol: 'IPv4' }], groups: [], port_mappings: [] }] },
  ];
  for (const container of containers) {
    assert.equal(unsupportedPart(container, { isNested: false }), undefined);
    assert.equal(unsupportedPodPart(container), undefined);
  }
});

test("a pod's executor, which is no container here, gets no volumes", () => {
  assert.match(unsupportedPodPart(parent('SELF')) ?? '', /^executor\.container\.volumes: /);
  assert.equal(unsupportedPodPart({ type: 'MESOS', rlimit_info: { rlimits: [] } }), undefined);
  assert.match(
    unsupportedPodPart({ type: 'MESOS', network_infos: [{ name: 'x' }] }) ?? '',
    /^executor\.container\.network_infos\[0\]\.name: /,
  );
});
