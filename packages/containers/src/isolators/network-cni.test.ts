// Containers in networks, with the real launcher and supervisor of the built dist/: with the plugins of the CNI project where
// the machine has them, and with a plugin of the test.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { after, afterEach, beforeEach, test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createNetworkNamespaces } from '@meseta/platform/network-namespaces';
import { until } from '@meseta/platform/testing/until';
import type { ContainerInfo, NetworkInfo, Resource } from '@meseta/wire';
import type { Containerizer } from '../containerizer.js';
import {
  forgetEvents,
  next,
  nextFailure,
  output,
  root,
  spec,
  start as startContainerizer,
  untilFile,
} from '../testing/launcher.js';
import type { ContainerSpec } from '../types.js';

const PLUGINS = '/usr/lib/cni';
const isRoot = process.getuid?.() === 0 && existsSync('/sys/fs/cgroup');
const asRoot = isRoot ? {} : { skip: 'needs root and cgroups' };
const hasPlugins = existsSync(`${PLUGINS}/bridge`) && existsSync(`${PLUGINS}/host-local`);
const withPlugins = isRoot && hasPlugins ? {} : { skip: 'needs root, cgroups and containernetworking-plugins' };

const BRIDGE = 'bridge0';
const SUBNET = '10.88.0';
const namespaces = createNetworkNamespaces();

/** Stands for the machine's network, so that bridges, rules and settings of plugins are not the machine's own. */
const machineDir = mkdtempSync(`${tmpdir()}/meseta-machine-`);
const machine = `${machineDir}/ns`;
after(() => rmdirSync(machineDir));

/** Lets the plugins of the CNI project work in the network that stands for the machine's. */
function useProjectPlugins(): void {
  assert.ok(namespaces.create(machine).ok);
  for (const name of ['bridge', 'host-local', 'portmap']) {
    const path = `${root}/plugins/${name}`;
    writeFileSync(path, `#!/bin/sh\nexec nsenter '--net=${machine}' ${PLUGINS}/${name}\n`);
    chmodSync(path, 0o755);
  }
}

let warnings: string[] = [];
const stateDir = (): string => `${root}/run/isolators/network/cni`;
const configure = (name: string, config: object): void =>
  writeFileSync(`${root}/config/${name}`, JSON.stringify(config));

beforeEach(() => {
  warnings = [];
  mkdirSync(`${root}/config`);
  mkdirSync(`${root}/plugins`);
});

function interfacesOfMachine(): readonly string[] {
  if (!existsSync(machine)) return [];
  const table = execFileSync('nsenter', [`--net=${machine}`, 'cat', '/proc/net/dev']).toString();
  return [...table.matchAll(/^ *(\S+):/gm)].flatMap(([, name]) => name ?? []);
}

/** Nothing of a container stays: no file, mount or interface. */
afterEach(() => {
  const interfaces = interfacesOfMachine();
  namespaces.remove(machine);
  const left = existsSync(stateDir()) ? readdirSync(stateDir()) : [];
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const own = mounts.filter((line) => line.includes(root) || line.includes(machineDir));
  assert.deepEqual([left, own, interfaces.filter((name) => ![BRIDGE, 'lo'].includes(name))], [[], [], []]);
});

const start = (pluginTimeoutMs = 60_000): Promise<Containerizer> =>
  startContainerizer({
    launcher: 'linux',
    isolation: {
      names: 'filesystem/linux,namespaces/pid,network/cni',
      cni: {
        configDir: `${root}/config`,
        pluginsDir: `${root}/none:${root}/plugins`,
        rootDir: stateDir(),
        pluginTimeoutMs,
        defaultDns: [
          { network_mode: 'CNI', dns: { nameservers: ['10.9.9.9'] } },
          { network_mode: 'CNI', network_name: 'named', dns: { nameservers: ['10.9.9.8'], search: ['a.example'] } },
        ],
        namespaces,
      },
    },
    warn: (message) => warnings.push(message),
  });

const inNetworks = (infos: readonly NetworkInfo[], rest: Partial<ContainerInfo> = {}): Partial<ContainerSpec> => ({
  container: { type: 'MESOS', network_infos: infos, ...rest },
});

/** A plugin that writes what it was called with to a file. */
function writePlugin(name: string, script: string): void {
  const path = `${root}/plugins/${name}`;
  const log = `cat >"${root}/$CNI_COMMAND-${name}-$CNI_IFNAME"; echo "$CNI_COMMAND ${name} $CNI_IFNAME" >>"${root}/calls"`;
  writeFileSync(path, `#!/bin/sh\n${log}\n${script}\n`);
  chmodSync(path, 0o755);
}
const calls = (): readonly string[] => readFileSync(`${root}/calls`, 'utf8').trim().split('\n');
const givenTo = (call: string): { readonly [name: string]: unknown } =>
  JSON.parse(readFileSync(`${root}/${call}`, 'utf8'));
const resultOf = (address: string, rest = ''): string =>
  `[ "$CNI_COMMAND" = DEL ] || echo '{"cniVersion": "1.0.0", "ips": [{"address": "${address}"}]${rest}}'`;

const bridge = (version: string, rest: object = {}) => ({
  cniVersion: version,
  type: 'bridge',
  bridge: BRIDGE,
  isGateway: true,
  ipam: { type: 'host-local', subnet: `${SUBNET}.0/24`, dataDir: `${root}/addresses` },
  ...rest,
});
const reserved = (): readonly string[] => readdirSync(`${root}/addresses/net`).filter((name) => /^\d/.test(name));

for (const version of ['0.3.1', '0.4.0', '1.0.0']) {
  test(
    `a container has an address in its network, which is free again after its end (CNI ${version})`,
    withPlugins,
    async () => {
      useProjectPlugins();
      configure('net.conf', { name: 'net', ...bridge(version) });
      const containers = await start();
      const command = {
        value: 'hostname; cat /etc/hosts /proc/net/fib_trie /proc/net/dev; readlink /proc/self/ns/net',
      };
      const labels = { labels: [{ key: 'a', value: 'b' }] };
      const it = spec('c', command, inNetworks([{ name: 'net', labels }]));
      containers.launch(it);
      const { networks } = await next('started', 'c');
      const address = networks?.[0]?.ip_addresses?.[0]?.ip_address ?? '';
      assert.deepEqual(networks, [{ name: 'net', labels, ip_addresses: [{ protocol: 'IPv4', ip_address: address }] }]);
      assert.ok(address.startsWith(`${SUBNET}.`), address);
      await next('exited', 'c');
      const seen = output(it);
      assert.match(seen, new RegExp(`^c\\n127\\.0\\.0\\.1\\tlocalhost\\n.*\\n${address}\\tc\\n`));
      assert.ok(seen.includes(`|-- ${address}\n`));
      assert.match(seen, /^ *eth0:/m);
      assert.ok(!seen.includes(readlinkSync('/proc/self/ns/net')));
      assert.deepEqual(reserved(), []);
      assert.deepEqual(warnings, []);
    },
  );
}

test(
  'PROBES-3: two containers reach each other, and HTTP and TCP checks reach a container in its own namespace',
  withPlugins,
  async () => {
    useProjectPlugins();
    configure('net.conflist', { cniVersion: '1.0.0', name: 'net', plugins: [bridge('1.0.0')] });
    const containers = await start();
    const server = `require('http').createServer((q, s) => s.end('of the server')).listen(8099, () => console.log('up'))`;
    const program = { shell: false, value: process.execPath, arguments: ['node', '-e', server] };
    const it = spec('server', program, inNetworks([{ name: 'net' }], { hostname: 'web' }));
    containers.launch(it);
    const { networks } = await next('started', 'server');
    await untilFile(`${it.sandbox}/stdout`);
    const address = networks?.[0]?.ip_addresses?.[0]?.ip_address;
    const get = `fetch('http://${address}:8099').then((it) => it.text()).then(console.log)`;
    const client = spec(
      'client',
      { shell: false, value: process.execPath, arguments: ['node', '-e', get] },
      inNetworks([{ name: 'net' }]),
    );
    containers.launch(client);
    await next('exited', 'client');
    assert.equal(output(client), 'of the server\n');
    const id = it.containerId;
    const http = { kind: 'http', scheme: 'http', port: 8099, path: '/', ipv6: false } as const;
    assert.deepEqual(await containers.probe(id, http, 10_000), { kind: 'http', statusCode: 200 });
    const tcp = { kind: 'tcp', port: 8099, ipv6: false } as const;
    assert.deepEqual(await containers.probe(id, tcp, 10_000), { kind: 'tcp', succeeded: true });
    assert.deepEqual(await containers.probe(id, { ...tcp, port: 8098 }, 10_000), { kind: 'tcp', succeeded: false });
    const command = { kind: 'command', command: { value: 'test $(hostname) = web' }, environment: {} } as const;
    const end = { kind: 'exited', code: 0 };
    assert.deepEqual(await containers.probe(id, { ...command, environment: { PATH: '/bin' } }, 10_000), {
      kind: 'command',
      status: end,
    });
    containers.destroy(id);
    await next('exited', 'server');
    assert.deepEqual(reserved(), []);
  },
);

test(
  'CONTAINER-NETWORKS-1: a restarted agent knows the network of a running container, and frees those of others',
  withPlugins,
  async () => {
    useProjectPlugins();
    configure('net.conf', { name: 'net', ...bridge('1.0.0') });
    const before = await start();
    const ids = ['kept', 'dead'] as const;
    for (const id of ids) before.launch(spec(id, { value: 'sleep 1000' }, inNetworks([{ name: 'net' }])));
    const { networks } = await next('started', 'kept');
    const { pid } = await next('started', 'dead');
    await before.close();
    process.kill(pid, 'SIGKILL');
    forgetEvents();
    const after = await start();
    const found = await after.recover();
    const kept = found.find(({ containerId }) => containerId === 'kept');
    assert.deepEqual(kept?.state === 'running' && kept.networks, networks);
    if (found.find(({ containerId }) => containerId === 'dead')?.state !== 'ended') await next('exited', 'dead');
    after.destroy('kept' as ContainerId);
    await next('exited', 'kept');
    for (const id of ids) after.remove(id as ContainerId);
    await untilFile(`${root}/addresses/net/last_reserved_ip.0`, () => reserved().length === 0);
  },
);

test('port_mappings reach the plugin that takes them', { ...withPlugins, ...withIptables() }, async () => {
  useProjectPlugins();
  configure('net.conflist', {
    cniVersion: '1.0.0',
    name: 'net',
    plugins: [bridge('1.0.0'), { type: 'portmap', capabilities: { portMappings: true }, snat: true }],
  });
  const containers = await start();
  const info: NetworkInfo = {
    name: 'net',
    port_mappings: [{ host_port: 31_999, container_port: 80, protocol: 'tcp' }],
  };
  const it = spec('c', { value: 'sleep 1000' }, { ...inNetworks([info]), resources: [PORTS] });
  containers.launch(it);
  const { networks } = await next('started', 'c');
  assert.deepEqual(networks?.[0]?.port_mappings, info.port_mappings);
  const address = networks?.[0]?.ip_addresses?.[0]?.ip_address;
  const rules = (): string => execFileSync('nsenter', [`--net=${machine}`, 'iptables-save', '-t', 'nat']).toString();
  assert.ok(rules().includes(`--dport 31999 -j DNAT --to-destination ${address}:80`));
  containers.destroy(it.containerId);
  await next('exited', 'c');
  assert.ok(!rules().includes('31999'));
});

const PORTS: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_990, end: 31_999 }] } };

function withIptables(): { readonly skip?: string } {
  try {
    execFileSync('iptables-save', ['-t', 'nat'], { stdio: 'pipe' });
    return {};
  } catch {
    return { skip: 'needs iptables' };
  }
}

test('plugins of a list are called in order with the result before, and detach in reverse', asRoot, async () => {
  writePlugin('first', resultOf('10.1.0.5/16', ', "dns": {"nameservers": ["10.1.0.1"], "search": ["here"]}'));
  writePlugin('second', resultOf('10.1.0.6/16'));
  const plugins = [
    { type: 'first', capabilities: { portMappings: true } },
    { type: 'second', args: { own: 1 } },
  ];
  configure('a.conflist', { cniVersion: '1.0.0', name: 'a', plugins });
  configure('b.conf', { cniVersion: '0.3.1', name: 'b', type: 'first' });
  const containers = await start();
  const mapping = { host_port: 31_990, container_port: 80, protocol: 'UDP' };
  const infos = [{ name: 'a', port_mappings: [mapping] }, { name: 'b' }];
  const it = spec(
    'c',
    { value: 'cat /etc/resolv.conf' },
    { ...inNetworks(infos, { hostname: 'own' }), resources: [PORTS] },
  );
  containers.launch(it);
  const { networks } = await next('started', 'c');
  assert.deepEqual(
    networks?.map(({ name, ip_addresses }) => [name, ip_addresses?.[0]?.ip_address]),
    [
      ['a', '10.1.0.6'],
      ['b', '10.1.0.5'],
    ],
  );
  await next('exited', 'c');
  assert.equal(output(it), 'search here\nnameserver 10.1.0.1\n');
  assert.deepEqual(calls(), [
    'ADD first eth0',
    'ADD second eth0',
    'ADD first eth1',
    'DEL first eth1',
    'DEL second eth0',
    'DEL first eth0',
  ]);
  const given = givenTo('ADD-first-eth0');
  assert.equal(given['capabilities'], undefined);
  const runtime = { portMappings: [{ hostPort: 31_990, containerPort: 80, protocol: 'udp' }] };
  assert.deepEqual(given['runtimeConfig'], runtime);
  const { args, prevResult, name, cniVersion } = givenTo('ADD-second-eth0');
  assert.deepEqual([name, cniVersion], ['a', '1.0.0']);
  assert.deepEqual(args, { own: 1, 'org.apache.mesos': { network_info: infos[0] } });
  assert.deepEqual((prevResult as { ips: unknown }).ips, [{ address: '10.1.0.5/16' }]);
  // The result of all is known to DEL since version 0.4.0.
  assert.deepEqual((givenTo('DEL-first-eth0')['prevResult'] as { ips: unknown }).ips, [{ address: '10.1.0.6/16' }]);
  assert.equal(givenTo('DEL-first-eth1')['prevResult'], undefined);
});

const failures: readonly [string, string, RegExp][] = [
  ['an error', `echo '{"code": 7, "msg": "no address"}'; exit 1`, /plugin bad: no address \(code 7\)/],
  ['no JSON', 'echo broken', /result of the plugin bad: expected JSON/],
  ['too much', 'head -c 300000 /dev/zero', /plugin bad: it wrote more than 262144 bytes/],
  ['a flood', 'yes', /plugin bad: it did not end in 2000 ms/],
  ['a hang', 'sleep 1000', /plugin bad: it did not end in 2000 ms/],
  ['a crash', 'kill -SEGV $$', /plugin bad: it was ended by the signal 11/],
  ['no address', `echo '{"ips": [{"address": "x"}]}'`, /the result: ips: expected IP addresses/],
];
for (const [name, script, expected] of failures) {
  test(`NETWORK-CNI-1: ${name} of a plugin fails the launch, and detaches the networks before`, asRoot, async () => {
    writePlugin('good', resultOf('10.1.0.5/16'));
    writePlugin('bad', `[ "$CNI_COMMAND" = DEL ] && exit 0\n${script}`);
    configure('good.conf', { cniVersion: '1.0.0', name: 'good', type: 'good' });
    configure('bad.conf', { cniVersion: '1.0.0', name: 'bad', type: 'bad' });
    const containers = await start(2000);
    containers.launch(spec('c', { value: 'true' }, inNetworks([{ name: 'good' }, { name: 'bad' }])));
    assert.match(await nextFailure('c'), expected);
    assert.deepEqual(calls(), ['ADD good eth0', 'ADD bad eth1', 'DEL bad eth1', 'DEL good eth0']);
  });
}

test('a container that is destroyed while a plugin hangs ends at once, and is detached', asRoot, async () => {
  writePlugin('slow', '[ "$CNI_COMMAND" = DEL ] || sleep 1000');
  configure('slow.conf', { cniVersion: '1.0.0', name: 'slow', type: 'slow' });
  const containers = await start();
  const it = spec('c', { value: 'true' }, inNetworks([{ name: 'slow' }]));
  containers.launch(it);
  await until('the plugin is called', () => existsSync(`${root}/calls`));
  containers.destroy(it.containerId);
  await nextFailure('c');
  assert.deepEqual(calls(), ['ADD slow eth0', 'DEL slow eth0']);
});

test('CONTAINER-NETWORKS-1: what a plugin does not detach is tried again by the next agent', asRoot, async () => {
  writePlugin('sticky', `[ "$CNI_COMMAND" = DEL ] && [ -e "${root}/stuck" ] && exit 1\n${resultOf('10.1.0.5/16')}`);
  configure('sticky.conf', { cniVersion: '1.0.0', name: 'sticky', type: 'sticky' });
  writeFileSync(`${root}/stuck`, '');
  const before = await start();
  before.launch(spec('c', { value: 'true' }, inNetworks([{ name: 'sticky' }])));
  await next('exited', 'c');
  assert.match(warnings.join(), /DEL of the plugin sticky: without a message/);
  assert.deepEqual(readdirSync(stateDir()), ['c']);
  assert.equal(existsSync(`${stateDir()}/c/ns`), false);
  await before.close();
  execFileSync('rm', [`${root}/stuck`]);
  await (await start()).recover();
  assert.deepEqual(readdirSync(stateDir()), []);
});

test('CONTAINER-NETWORKS-1: a task is detached however much it says of its network', asRoot, async () => {
  writePlugin('plain', resultOf('10.1.0.5/16'));
  const deep = (depth: number): object => (depth === 0 ? {} : { deeper: deep(depth - 1) });
  configure('plain.conf', { cniVersion: '1.0.0', name: 'plain', type: 'plain', own: deep(30) });
  const labels = Array.from({ length: 1000 }, (_, index) => ({ key: `${index}`, value: 'x'.repeat(300) }));
  const containers = await start();
  containers.launch(spec('c', { value: 'true' }, inNetworks([{ name: 'plain', labels: { labels } }])));
  await next('exited', 'c');
  assert.deepEqual(calls(), ['ADD plain eth0', 'DEL plain eth0']);
});

test(
  'CONTAINER-NETWORKS-1: after a reboot, networks are detached without the namespace, which is gone',
  asRoot,
  async () => {
    writePlugin('plain', `echo "namespace $CNI_NETNS" >>"${root}/calls"\n${resultOf('10.1.0.5/16')}`);
    configure('plain.conf', { cniVersion: '1.0.0', name: 'plain', type: 'plain' });
    const before = await start();
    before.launch(spec('c', { value: 'sleep 1000' }, inNetworks([{ name: 'plain' }])));
    const { pid } = await next('started', 'c');
    await before.close();
    process.kill(pid, 'SIGKILL');
    // What a reboot leaves: the file without its mount.
    const namespace = `${stateDir()}/c/ns`;
    assert.ok(namespaces.remove(namespace).ok);
    writeFileSync(namespace, '');
    await until('the process is collected', () => !existsSync(`/proc/${pid}`));
    await (await start()).recover();
    await until('the network is removed', () => !existsSync(`${stateDir()}/c`));
    assert.deepEqual(calls(), ['ADD plain eth0', `namespace ${namespace}`, 'DEL plain eth0', 'namespace']);
  },
);

test('NETWORK-CNI-2: nested containers and sessions are in the network of their parent', asRoot, async () => {
  writePlugin('plain', resultOf('10.1.0.5/16'));
  configure('plain.conf', { cniVersion: '1.0.0', name: 'plain', type: 'plain' });
  const containers = await start();
  const parent = spec('parent', { value: 'sleep 1000' }, inNetworks([{ name: 'plain' }], { hostname: 'own' }));
  containers.launch(parent);
  const { pid, networks } = await next('started', 'parent');
  const outer = { containerId: parent.containerId, sandbox: parent.sandbox, volumes: [] };
  const value = 'readlink /proc/self/ns/net; hostname; grep -c own /etc/hosts';
  const expected = `${readlinkSync(`/proc/${pid}/ns/net`)}\nown\n1\n`;
  for (const isSession of [false, true]) {
    const id = `nested-${isSession}`;
    const sandbox = `${parent.sandbox}/.containers/${id}`;
    const nested = spec(id, { value }, { outer, sandbox, isSession });
    containers.launch(nested);
    assert.deepEqual((await next('started', id)).networks, networks);
    await next('exited', id);
    assert.equal(output(nested), expected);
  }
  const named = { ...inNetworks([{ name: 'plain' }]), outer, sandbox: `${parent.sandbox}/.containers/named` };
  const apart = spec('named', { value }, named);
  containers.launch(apart);
  await next('exited', 'named');
  const [network, hostname] = output(apart).split('\n');
  assert.notEqual(network, expected.split('\n')[0]);
  assert.equal(hostname, 'named');
  containers.destroy(parent.containerId);
  await next('exited', 'parent');
  assert.deepEqual(calls(), ['ADD plain eth0', 'ADD plain eth0', 'DEL plain eth0', 'DEL plain eth0']);
});

test(
  'DNS of a container: what its plugin says, else what the operator says of its network, else of all networks',
  asRoot,
  async () => {
    writePlugin('plain', resultOf('10.1.0.5/16'));
    writePlugin('telling', resultOf('10.1.0.6/16', ', "dns": {"nameservers": ["10.1.0.1"]}'));
    for (const name of ['plain', 'named']) configure(`${name}.conf`, { cniVersion: '1.0.0', name, type: 'plain' });
    configure('telling.conf', { cniVersion: '1.0.0', name: 'telling', type: 'telling' });
    const containers = await start();
    for (const [name, expected] of [
      ['plain', 'nameserver 10.9.9.9\n'],
      ['named', 'search a.example\nnameserver 10.9.9.8\n'],
      ['telling', 'nameserver 10.1.0.1\n'],
    ] as const) {
      const it = spec(name, { value: 'cat /etc/resolv.conf' }, inNetworks([{ name }]));
      containers.launch(it);
      await next('exited', name);
      assert.equal(output(it), expected);
    }
  },
);

test('a container that names no network has the one of the agent', asRoot, async () => {
  const containers = await start();
  const it = spec('c', { value: 'readlink /proc/self/ns/net' }, inNetworks([{}]));
  containers.launch(it);
  assert.equal((await next('started', 'c')).networks, undefined);
  await next('exited', 'c');
  assert.equal(output(it), `${readlinkSync('/proc/self/ns/net')}\n`);
});

test('a network that is configured later is found; one that is not is refused by name', asRoot, async () => {
  writePlugin('plain', resultOf('10.1.0.5/16'));
  const containers = await start();
  containers.launch(spec('c', { value: 'true' }, inNetworks([{ name: 'late' }])));
  assert.match(await nextFailure('c'), /^container\.network_infos\[0\]\.name: "late": .* has no such network/);
  configure('late.conf', { cniVersion: '1.0.0', name: 'late', type: 'plain' });
  containers.launch(spec('d', { value: 'true' }, inNetworks([{ name: 'late' }])));
  await next('exited', 'd');
  const mapped = [{ name: 'late', port_mappings: [{ host_port: 31_990, container_port: 80 }] }];
  containers.launch(spec('e', { value: 'true' }, { ...inNetworks(mapped), resources: [PORTS] }));
  assert.match(await nextFailure('e'), /port_mappings: no plugin of the network late has the capability portMappings/);
  configure('gone.conf', { cniVersion: '1.0.0', name: 'gone', type: 'absent' });
  containers.launch(spec('f', { value: 'true' }, inNetworks([{ name: 'gone' }])));
  assert.match(await nextFailure('f'), /ADD of the plugin absent: no program absent in --network_cni_plugins_dir/);
});
