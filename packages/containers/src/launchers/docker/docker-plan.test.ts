import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { ContainerInfo, ContainerInfoDockerInfo, Parameter, Resource } from '@meseta/wire';
import type { ContainerSpec } from '../../types.js';
import { type DockerPlan, type DockerPlanOptions, planDockerContainer } from './docker-plan.js';
import { serializeRequest } from './request.js';

const MIB = 2 ** 20;
const options: DockerPlanOptions = {
  sandboxDirectory: '/sb',
  agent: 'a1',
  enableCfs: false,
  totalMemoryBytes: 1000 * MIB,
  defaultDns: [{ network_mode: 'USER', network_name: 'n', dns: { nameservers: ['10.0.0.1'], search: ['a.example'] } }],
};
const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value } });
const ports: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31001 }] } };

interface Changes {
  readonly docker?: Partial<ContainerInfoDockerInfo>;
  readonly info?: Partial<ContainerInfo>;
  readonly spec?: Partial<ContainerSpec>;
}

const plan = ({ docker, info, spec }: Changes = {}) =>
  planDockerContainer(
    {
      containerId: 'c1' as ContainerId,
      sandbox: '/work/sandbox',
      user: 'nobody',
      command: { value: 'echo hi' },
      environment: {},
      uris: [],
      rlimits: undefined,
      resources: [scalar('cpus', 0.5), scalar('mem', 64), ports],
      container: { type: 'DOCKER', docker: { image: 'busybox', ...docker }, ...info },
      volumes: [],
      ...spec,
    },
    undefined,
    options,
  );

function planned(changes: Changes): DockerPlan {
  const made = plan(changes);
  assert.ok(made.ok, made.ok ? '' : made.error);
  return made.value;
}

const problemOf = (changes: Changes): string => {
  const made = plan(changes);
  return made.ok ? 'none' : made.error;
};

// biome-ignore lint/suspicious/noExplicitAny: the engine's JSON
const body = (changes: Changes): any => JSON.parse(serializeRequest(planned(changes).request));
const parameter = (key: string, value: string): Parameter => ({ key, value });

test('DNS of a container in a network is what the task says, else what the operator says of the network', () => {
  const inNetwork = (name: string, parameters: readonly Parameter[] = []) =>
    body({ docker: { network: 'USER', parameters }, info: { network_infos: [{ name }] } }).HostConfig;
  const { Dns, DnsSearch, DnsOptions } = inNetwork('n');
  assert.deepEqual([Dns, DnsSearch, DnsOptions], [['10.0.0.1'], ['a.example'], []]);
  assert.deepEqual(inNetwork('n', [parameter('dns', '10.0.0.2')]).Dns, ['10.0.0.2']);
  assert.equal(inNetwork('other').Dns, undefined);
});

test('the request is what the docker run of a Mesos executor asks for', () => {
  const { HostConfig, ...rest } = body({});
  assert.deepEqual(rest, {
    Image: 'busybox:latest',
    Entrypoint: ['/bin/sh'],
    Cmd: ['-c', 'echo hi'],
    Labels: { 'meseta.agent': 'a1' },
    ExposedPorts: {},
    Env: ['MESOS_SANDBOX=/sb', 'MESOS_CONTAINER_NAME=mesos-c1'],
  });
  assert.deepEqual(HostConfig, {
    Binds: [],
    Mounts: [{ Type: 'bind', Source: '/work/sandbox', Target: '/sb', ReadOnly: false }],
    NetworkMode: 'host',
    PortBindings: {},
    Privileged: false,
    Ulimits: [],
    RestartPolicy: { Name: 'no' },
    AutoRemove: false,
    CpuShares: 512,
    Memory: 64 * MIB,
  });
});

test('networks, ports, volumes and ulimits have their places in the request', () => {
  const mapping = { host_port: 31001, container_port: 80 };
  const bridge = body({ docker: { network: 'BRIDGE', port_mappings: [mapping, { ...mapping, protocol: 'UDP' }] } });
  assert.equal(bridge.HostConfig.NetworkMode, 'bridge');
  assert.deepEqual(bridge.HostConfig.PortBindings, {
    '80/tcp': [{ HostIp: '', HostPort: '31001' }],
    '80/udp': [{ HostIp: '', HostPort: '31001' }],
  });
  assert.deepEqual(bridge.ExposedPorts, { '80/tcp': {}, '80/udp': {} });
  assert.equal(body({ docker: { network: 'NONE' } }).HostConfig.NetworkMode, 'none');

  const volumes = body({
    info: {
      volumes: [
        { container_path: '/data', host_path: '/srv', mode: 'RO' },
        { container_path: '/below', host_path: 'own/dir', mode: 'RW' },
        {
          container_path: 'named',
          mode: 'RW',
          source: { type: 'DOCKER_VOLUME', docker_volume: { name: 'v', driver: 'd' } },
        },
      ],
    },
    spec: { volumes: [{ containerPath: 'kept', place: { root: '/vol', names: ['a', 'b'] } }] },
  }).HostConfig;
  assert.deepEqual(volumes.Binds, ['/srv:/data:ro']);
  assert.deepEqual(volumes.Mounts.slice(1), [
    { Type: 'bind', Source: '/work/sandbox/own/dir', Target: '/below', ReadOnly: false },
    {
      Type: 'volume',
      Source: 'v',
      Target: '/sb/named',
      ReadOnly: false,
      VolumeOptions: { DriverConfig: { Name: 'd', Options: {} } },
    },
    { Type: 'bind', Source: '/vol/a/b', Target: '/sb/kept', ReadOnly: false },
  ]);
  const rlimits = { rlimits: [{ type: 'RLMT_NOFILE' as const, soft: 10, hard: 20 }, { type: 'RLMT_CORE' as const }] };
  assert.deepEqual(body({ spec: { rlimits } }).HostConfig.Ulimits, [
    { Name: 'nofile', Soft: 10, Hard: 20 },
    { Name: 'core', Soft: -1, Hard: -1 },
  ]);
});

test('limits of a task replace its resources as limits; what may use more than it has is killed first', () => {
  const limited = (limits: ContainerSpec['limits']) => {
    const { CpuQuota, Memory, MemoryReservation, OomScoreAdj } = body({ spec: { limits } }).HostConfig;
    return { CpuQuota, Memory, MemoryReservation, OomScoreAdj };
  };
  assert.deepEqual(limited({ cpus: { value: 1.5 }, mem: { value: 128 } }), {
    CpuQuota: 150_000,
    Memory: 128 * MIB,
    MemoryReservation: 64 * MIB,
    OomScoreAdj: 936,
  });
  assert.deepEqual(limited({ cpus: { value: Number.POSITIVE_INFINITY }, mem: { value: Number.POSITIVE_INFINITY } }), {
    CpuQuota: undefined,
    Memory: undefined,
    MemoryReservation: 64 * MIB,
    OomScoreAdj: 936,
  });
});

test('DOCKER-PLAN-1: what can not be carried out is refused with the name of the field', () => {
  const volume = { container_path: '/v', mode: 'RW' as const };
  const cases: readonly (readonly [Changes, RegExp])[] = [
    [{ docker: { image: 'Not An Image' } }, /^container\.docker\.image: expected/],
    [{ docker: { image: '-x' } }, /^container\.docker\.image: expected/],
    [{ docker: { image: `a${'b'.repeat(600)}` } }, /^container\.docker\.image: expected at most 512/],
    [{ docker: { network: 'USER' } }, /^container\.network_infos: expected one/],
    [{ docker: { network: 'USER' }, info: { network_infos: [{}] } }, /^container\.network_infos\[0\]\.name/],
    [{ docker: { network: 'USER' }, info: { network_infos: [{ name: 'a' }, { name: 'b' }] } }, /got 2/],
    [{ info: { hostname: 'h' } }, /^container\.hostname/],
    [{ info: { mesos: {} } }, /^container\.mesos/],
    [{ info: { linux_info: {} } }, /^container\.linux_info/],
    [{ info: { tty_info: {} } }, /^container\.tty_info/],
    [{ info: { volumes: [volume] } }, /^container\.volumes\[0\]: expected host_path or source/],
    [{ info: { volumes: [{ ...volume, container_path: 'a', host_path: 'b' }] } }, /both relative/],
    [{ info: { volumes: [{ ...volume, host_path: '../up' }] } }, /host_path: expected a path without/],
    [{ info: { volumes: [{ ...volume, host_path: '/a:/b' }] } }, /without ":"/],
    [{ info: { volumes: [{ ...volume, source: { type: 'SECRET' } }] } }, /source\.type/],
    [{ spec: { command: {} } }, /^command\.value/],
    [{ spec: { command: { shell: false, value: 'a\0b' } } }, /NUL/],
    [
      { docker: { parameters: Array.from({ length: 1001 }, () => parameter('env', 'a=b')) } },
      /parameters: expected at most 1000/,
    ],
  ];
  for (const [changes, expected] of cases) assert.match(problemOf(changes), expected);
});

test('DOCKER-PLAN-2: a port that is not among the resources is not mapped', () => {
  const mapped = (host_port: number, network: ContainerInfoDockerInfo['network'] = 'BRIDGE') =>
    problemOf({ docker: { network, port_mappings: [{ host_port, container_port: 80 }] } });
  assert.equal(mapped(31000), 'none');
  assert.match(mapped(22), /port_mappings\[0\]\.host_port: port 22 is not among the ports/);
  assert.match(mapped(31000, 'HOST'), /port_mappings: expected in networks BRIDGE and USER only/);
});

test("DOCKER-PLAN-3: no parameter changes the name or the agent's label", () => {
  assert.match(
    problemOf({ docker: { parameters: [parameter('name', 'x')] } }),
    /--name: the agent names the container/,
  );
  const { Labels } = body({
    docker: { parameters: [parameter('label', 'meseta.agent=other'), parameter('label', '__proto__=x')] },
  });
  assert.equal(Labels['meseta.agent'], 'a1');
  assert.equal(Object.hasOwn(Labels, '__proto__'), true);
});

test('PARAMETERS-1: each parameter is a field of the request, or is refused with its name', () => {
  const cases: readonly (readonly [key: string, value: string, path: string, expected: unknown])[] = [
    ['cap-add', 'NET_ADMIN', 'HostConfig.CapAdd', ['NET_ADMIN']],
    ['memory', '1.5g', 'HostConfig.Memory', 1.5 * 2 ** 30],
    ['m', '64MB', 'HostConfig.Memory', 64 * MIB],
    ['memory-swap', '-1', 'HostConfig.MemorySwap', -1],
    ['cpus', '0.25', 'HostConfig.NanoCpus', 250_000_000],
    [
      'device',
      '/dev/fuse',
      'HostConfig.Devices',
      [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' }],
    ],
    [
      'device',
      '/dev/a:/dev/b:r',
      'HostConfig.Devices',
      [{ PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'r' }],
    ],
    ['ulimit', 'nofile=10:20', 'HostConfig.Ulimits', [{ Name: 'nofile', Soft: 10, Hard: 20 }]],
    ['tmpfs', '/run:size=1m', 'HostConfig.Tmpfs', { '/run': 'size=1m' }],
    [
      'publish',
      '127.0.0.1:8080:80',
      'HostConfig.PortBindings',
      { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] },
    ],
    ['sysctl', 'net.core.somaxconn=9', 'HostConfig.Sysctls', { 'net.core.somaxconn': '9' }],
    ['log-opt', 'max-size=1m', 'HostConfig.LogConfig', { Config: { 'max-size': '1m' } }],
    ['network', 'container:x', 'HostConfig.NetworkMode', 'container:x'],
    ['net-alias', 'db', 'NetworkingConfig.EndpointsConfig', { host: { Aliases: ['db'] } }],
    ['health-interval', '1m30s', 'Healthcheck.Interval', 9e10],
    ['privileged', 'true', 'HostConfig.Privileged', true],
    ['user', '1000', 'User', '1000'],
    ['entrypoint', '/x', 'Entrypoint', ['/x']],
  ];
  for (const [key, value, path, expected] of cases) {
    const found = path
      .split('.')
      .reduce((at, name) => at[name], body({ docker: { parameters: [parameter(key, value)] } }));
    assert.deepEqual(found, expected, key);
  }
  const refused: readonly (readonly [key: string, value: string])[] = [
    ['frobnicate', 'x'],
    ['constructor', 'x'],
    ['rm', 'true'],
    ['restart', 'always'],
    ['tty', 'true'],
    ['env-file', '/etc/passwd'],
    ['security-opt', 'seccomp=/etc/passwd'],
    ['memory', 'lots'],
    ['cpus', '-1'],
    ['ulimit', 'nofile'],
    ['publish', '80-90:80-90'],
    ['log-driver', 'none'],
    ['env', 'A\0=b'],
    ['mount', 'type=tmpfs,target=/a,constructor=x'],
  ];
  for (const [key, value] of refused) {
    assert.match(
      problemOf({ docker: { parameters: [parameter(key, value)] } }),
      /^container\.docker\.parameters\[0\]/,
      key,
    );
  }
});
