import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, ok } from '@meseta/base';
import type { ContainerInfo, Image } from '@meseta/wire';
import { type FieldSchema, readSchema } from '../../../wire/codegen/schema.js';
import { defaultCapabilities } from '../testing/capabilities.js';
import type { Capabilities } from '../types.js';
import { findUnsupportedField, findUnsupportedPodField } from './supported.js';

const capabilities: Capabilities = { ...defaultCapabilities, cpusLimits: ok(undefined), memLimits: ok(undefined) };
const nested = { isNested: true, capabilities };
const outermost = { isNested: false, capabilities };

const schema = readSchema('packages/wire/proto');
const messages = new Map(schema.messages.map((message) => [message.name, message]));
const enums = new Map(schema.enums.map(({ name, values }) => [name, values.map(([value]) => value)]));

/** The values that this launcher provides, by field; every other value must be refused. */
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
  'tty_info.window_size.rows': [1],
  'tty_info.window_size.columns': [1],
};

const SCALARS: Readonly<Record<string, readonly unknown[]>> = {
  string: ['a-name', '/absolute', '../outside'],
  bool: [true, false],
  bytes: ['AAAA'],
};

/** Some values of the field's type; messages are empty. */
function valuesOf({ kind, type }: FieldSchema): readonly unknown[] {
  if (kind === 'enum') return enums.get(type) ?? [];
  return kind === 'message' ? [{}] : (SCALARS[type] ?? [1]);
}

/** Every field that a container can set, with values. Of a message whose fields have rules: its fields. */
function* settableFields(
  message: string,
  at: readonly FieldSchema[] = [],
): Generator<readonly [string, unknown, ContainerInfo]> {
  for (const field of messages.get(message)?.fields ?? []) {
    const path = [...at, field];
    const name = path.map((part) => part.name).join('.');
    const hasFieldRules = (): boolean => findUnsupportedField(containerOf(path, {}), nested) === undefined;
    if (field.kind === 'message' && PROVIDED[name] === undefined && hasFieldRules()) {
      yield* settableFields(field.type, path);
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

test('SUPPORTED-1: every field of the schema that a container sets is provided, or refused by its name', () => {
  const seen = new Set<string>();
  for (const [name, value, container] of settableFields('ContainerInfo')) {
    const provided = PROVIDED[name];
    const problem = findUnsupportedField(container, nested);
    seen.add(name);
    if (provided === 'any' || provided?.includes(value)) assert.equal(problem, undefined, name);
    else {
      assert.ok(problem !== undefined, `${name} is neither provided nor refused`);
      const named = problem.slice(0, problem.indexOf(': ')).replaceAll(/^container\.|\[\d+\]/g, '');
      assert.equal(named, name);
    }
  }
  // Every row of the table is a field of the schema, and the fields of messages were set too.
  for (const name of Object.keys(PROVIDED)) assert.ok(seen.has(name), name);
  assert.ok(seen.size > 30, `${seen.size} fields`);
});

const parent = (type: 'PARENT' | 'SELF'): ContainerInfo => ({
  type: 'MESOS',
  volumes: [{ container_path: 'v', mode: 'RW', source: { type: 'SANDBOX_PATH', sandbox_path: { type, path: 'p' } } }],
});

test('only a nested container can share the sandbox of a parent', () => {
  assert.match(findUnsupportedField(parent('PARENT'), outermost) ?? '', /sandbox_path\.type: PARENT needs a parent/);
  assert.equal(findUnsupportedField(parent('PARENT'), nested), undefined);
  assert.equal(findUnsupportedField(parent('SELF'), outermost), undefined);
});

test('fields that ask for nothing are accepted: no fields, empty lists, the network of the host', () => {
  const containers: readonly ContainerInfo[] = [
    { type: 'MESOS' },
    { type: 'MESOS', mesos: {}, volumes: [], network_infos: [{}], linux_info: {} },
    { type: 'MESOS', network_infos: [{ ip_addresses: [{ protocol: 'IPv4' }], groups: [], port_mappings: [] }] },
  ];
  for (const container of containers) {
    assert.equal(findUnsupportedField(container, outermost), undefined);
    assert.equal(findUnsupportedPodField(container, capabilities), undefined);
  }
});

test('a terminal has at most the rows and columns that the kernel counts', () => {
  const withWindow = (rows: number, columns: number): ContainerInfo => ({
    type: 'MESOS',
    tty_info: { window_size: { rows, columns } },
  });
  assert.equal(findUnsupportedField(withWindow(65_535, 65_535), outermost), undefined);
  assert.match(
    findUnsupportedField(withWindow(65_536, 1), outermost) ?? '',
    /^container\.tty_info\.window_size\.rows: /,
  );
  assert.match(findUnsupportedField(withWindow(1, 2 ** 32 - 1), outermost) ?? '', /window_size\.columns: expected/);
});

test("of a pod's executor, which is no process on this agent, volumes need mounts, and a terminal is refused", () => {
  assert.match(findUnsupportedPodField(parent('SELF'), capabilities) ?? '', /^executor\.container\.volumes: /);
  assert.equal(findUnsupportedPodField(parent('SELF'), { ...capabilities, mounts: ok(undefined) }), undefined);
  assert.match(
    findUnsupportedPodField({ type: 'MESOS', tty_info: {} }, capabilities) ?? '',
    /^executor\.container\.tty_info: /,
  );
  assert.equal(findUnsupportedPodField({ type: 'MESOS', rlimit_info: { rlimits: [] } }, capabilities), undefined);
  assert.match(
    findUnsupportedPodField({ type: 'MESOS', network_infos: [{ name: 'x' }] }, capabilities) ?? '',
    /^executor\.container\.network_infos\[0\]\.name: /,
  );
});

test('a field that needs an isolator is refused with the reason for which the agent lacks it', () => {
  const lacking = { ...capabilities, rlimits: err('no prlimit'), sandboxPathVolumes: err('no links') };
  const refusals: readonly [ContainerInfo, RegExp][] = [
    [{ type: 'MESOS', rlimit_info: { rlimits: [] } }, /^container\.rlimit_info: no prlimit$/],
    [parent('SELF'), /^container\.volumes\[0\]\.source\.sandbox_path: no links$/],
  ];
  for (const [container, expected] of refusals) {
    assert.match(findUnsupportedField(container, { isNested: false, capabilities: lacking }) ?? '', expected);
    assert.equal(findUnsupportedField(container, outermost), undefined);
  }
});

test('with network/cni a container names networks and itself, and so does the executor of a pod for its tasks', () => {
  const provided = { ...capabilities, networks: ok(undefined) };
  const named: ContainerInfo = {
    type: 'MESOS',
    hostname: 'own',
    network_infos: [{ name: 'n', port_mappings: [{ host_port: 1, container_port: 1 }] }],
  };
  assert.equal(findUnsupportedField(named, { isNested: false, capabilities: provided }), undefined);
  assert.equal(findUnsupportedPodField(named, provided), undefined);
  const address: ContainerInfo = { type: 'MESOS', network_infos: [{ ip_addresses: [{ ip_address: '10.1.0.5' }] }] };
  assert.match(
    findUnsupportedField(address, { isNested: false, capabilities: provided }) ?? '',
    /ip_addresses\[0\]\.ip_address: the agent, or a plugin/,
  );
});

test('images are of Docker, with credentials by value; those of the executor of a pod, which is no process, are refused', () => {
  const provided = { ...capabilities, images: ok(undefined), imageVolumes: ok(undefined) };
  const docker = { name: 'a' };
  const withImage = (image: Image): ContainerInfo => ({ type: 'MESOS', mesos: { image } });
  const problemOf = (image: Image): string | undefined =>
    findUnsupportedField(withImage(image), { isNested: false, capabilities: provided });
  const config = { type: 'VALUE' as const, value: { data: 'AAAA' } };
  assert.equal(problemOf({ type: 'DOCKER', docker: { ...docker, config }, cached: false }), undefined);
  assert.match(problemOf({ type: 'APPC', appc: { name: 'a' } }) ?? '', /^container\.mesos\.image\.type: .*appc/);
  assert.match(
    problemOf({ type: 'DOCKER', docker: { ...docker, credential: { principal: 'p' } } }) ?? '',
    /^container\.mesos\.image\.docker\.credential: /,
  );
  const reference = { type: 'REFERENCE' as const, reference: { name: 'x' } };
  assert.match(
    problemOf({ type: 'DOCKER', docker: { ...docker, config: reference } }) ?? '',
    /config\.type: expected VALUE/,
  );
  const volume = { container_path: 'v', mode: 'RW' as const, image: { type: 'DOCKER' as const, docker } };
  assert.equal(
    findUnsupportedField({ type: 'MESOS', volumes: [volume] }, { isNested: false, capabilities: provided }),
    undefined,
  );
  assert.match(
    findUnsupportedPodField(withImage({ type: 'DOCKER', docker }), provided) ?? '',
    /^executor\.container\.mesos\.image: /,
  );
});
