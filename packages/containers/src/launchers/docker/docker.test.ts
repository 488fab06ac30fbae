// Containers of type DOCKER in a real engine.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { sendLocalRequest } from '@meseta/platform/local-http';
import { until } from '@meseta/platform/testing/until';
import type { CommandInfo, ContainerInfo, ContainerInfoDockerInfo, Resource } from '@meseta/wire';
import type { Containerizer } from '../../containerizer.js';
import { IMAGE, needsDocker, startDockerEngine, type TestEngine } from '../../testing/docker-engine.js';
import { events, forgetEvents, next, nextFailure, output, root, spec, start } from '../../testing/launcher.js';
import type { ContainerSpec } from '../../types.js';
import type { DockerOptions } from './backend.js';

let engine: TestEngine;
const warnings: string[] = [];

const startAgent = (changes: Partial<DockerOptions> = {}): Promise<Containerizer> =>
  start({
    warn: (text) => warnings.push(text),
    docker: {
      socket: engine.socket,
      config: undefined,
      sandboxDirectory: '/mnt/mesos/sandbox',
      defaultDns: [],
      enableCfs: true,
      stopTimeoutMs: 0,
      removeDelayMs: 3_600_000,
      killOrphans: true,
      agent: 'test',
      sendLocalRequest,
      ...changes,
    },
  });

/** A port below those that the kernel gives to outgoing connections, one of which could take it before the engine does. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer()
        .once('error', () => resolve(false))
        .listen(port, '0.0.0.0', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value } });

function dockerSpec(
  id: string,
  command: CommandInfo,
  docker: Partial<ContainerInfoDockerInfo> = {},
  extra: Partial<ContainerSpec> & { readonly info?: Partial<ContainerInfo> } = {},
): ContainerSpec {
  const { info, ...rest } = extra;
  const container: ContainerInfo = { type: 'DOCKER', docker: { image: IMAGE, ...docker }, ...info };
  return spec(id, command, { container, resources: [scalar('cpus', 0.5), scalar('mem', 64)], ...rest });
}

const parameter = (key: string, value: string) => ({ key, value });

interface DockerInspect {
  readonly Name: string;
  readonly HostConfig: { readonly [field: string]: unknown };
  readonly Config: { readonly [field: string]: unknown };
  readonly State: { readonly [field: string]: unknown };
}

const inspect = async (id: string): Promise<DockerInspect> =>
  (await engine.call('GET', `/containers/mesos-${id}/json`)) as DockerInspect;

/** Forwards connections to the engine, until they are cut. */
function createProxy(): { readonly socket: string; cut(): void; restore(): Promise<void>; close(): void } {
  const socket = `${root}/proxy.sock`;
  const open = new Set<Socket>();
  let server: Server | undefined;
  const cut = (): void => {
    server?.close();
    for (const each of open) each.destroy();
    open.clear();
  };
  return {
    socket,
    cut,
    close: cut,
    restore: () =>
      new Promise((resolve) => {
        server = createServer((client) => {
          const upstream = connect(engine.socket);
          for (const each of [client, upstream]) {
            open.add(each);
            each.on('error', () => {});
          }
          client.pipe(upstream).pipe(client);
        });
        server.listen(socket, resolve);
      }),
  };
}

before(async () => {
  if (needsDocker.skip === false) engine = await startDockerEngine();
});
afterEach(() => engine?.removeContainers());
after(() => engine?.stop());

test(
  'a task runs in its image, with its own variables, its sandbox and its output; its exit code is reported',
  needsDocker,
  async () => {
    const containers = await startAgent();
    const script =
      'echo "$OWN|$OF_IMAGE|$MESOS_SANDBOX|$MESOS_CONTAINER_NAME|$LIBPROCESS_PORT"; echo bad >&2; echo hi > $MESOS_SANDBOX/made; exit 7';
    const command = { value: script, environment: { variables: [{ name: 'OWN', value: 'mine' }] } };
    const it = dockerSpec('c1', command, {}, { environment: { OWN: 'mine', LIBPROCESS_PORT: '0', PATH: '/host' } });
    containers.launch(it);
    const started = await next('started', 'c1');
    const exited = await next('exited', 'c1');
    assert.deepEqual(exited.status, { kind: 'exited', code: 7 });
    assert.equal(exited.message, 'Container exited with status 7');
    assert.equal(output(it), 'mine|yes|/mnt/mesos/sandbox|mesos-c1|\n');
    assert.equal(output(it, 'stderr'), 'bad\n');
    assert.equal(readFileSync(`${it.sandbox}/made`, 'utf8'), 'hi\n');
    const data = JSON.parse(Buffer.from(started.facts?.data ?? '', 'base64').toString()) as readonly DockerInspect[];
    assert.equal(data.length, 1);
    assert.equal(data[0]?.Name, '/mesos-c1');
    // The network is the host's.
    assert.equal(started.facts?.networkInfos, undefined);
  },
);

test(
  'a command that is no shell is appended to the entry point; resources are the limits of the engine',
  needsDocker,
  async () => {
    const containers = await startAgent();
    const parameters = [
      parameter('entrypoint', '/bin/cat'),
      parameter('workdir', '/mnt/mesos/sandbox'),
      parameter('label', 'a=b'),
    ];
    const it = dockerSpec('c2', { shell: false, arguments: ['input'] }, { parameters });
    writeFileSync(`${it.sandbox}/input`, 'from the sandbox\n');
    containers.launch(it);
    await next('exited', 'c2');
    assert.equal(output(it), 'from the sandbox\n');
    const { HostConfig, Config } = await inspect('c2');
    const { Memory, CpuShares, CpuQuota, CpuPeriod } = HostConfig;
    assert.deepEqual(
      { Memory, CpuShares, CpuQuota, CpuPeriod },
      {
        Memory: 64 * 2 ** 20,
        CpuShares: 512,
        CpuQuota: 50_000,
        CpuPeriod: 100_000,
      },
    );
    assert.deepEqual(Config['Labels'], { a: 'b', 'meseta.agent': 'test' });
  },
);

test(
  'a container that needs more memory than it has ends with the limitation and its resources',
  needsDocker,
  async () => {
    const containers = await startAgent();
    const command = { value: 'perl -e \'$x = "a" x 200_000_000; sleep 100\'; exit $?' };
    const parameters = [parameter('memory-swap', String(64 * 2 ** 20))];
    containers.launch(dockerSpec('oom', command, { parameters }));
    const { status, limitation } = await next('exited', 'oom');
    assert.deepEqual(status, { kind: 'exited', code: 137 });
    assert.equal(limitation?.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');
    assert.deepEqual(limitation?.resources, [scalar('mem', 64)]);
  },
);

test('SIGTERM is the stop signal of the container; a container that is destroyed is killed', needsDocker, async () => {
  const containers = await startAgent();
  const waiting = 'trap "exit 3" USR1; trap "" TERM; echo up; while :; do sleep 0.05; done';
  const parameters = [parameter('stop-signal', 'SIGUSR1')];
  for (const id of ['stopped', 'killed']) {
    const it = dockerSpec(id, { value: waiting }, { parameters });
    containers.launch(it);
    await next('started', id);
    await until('it listens', () => output(it) === 'up\n');
  }
  containers.signal('stopped' as ContainerId, 15);
  containers.destroy('killed' as ContainerId);
  assert.deepEqual((await next('exited', 'stopped')).status, { kind: 'exited', code: 3 });
  assert.deepEqual((await next('exited', 'killed')).status, { kind: 'exited', code: 137 });
});

test('DOCKER-1: a launch fails with the reason of the engine, and leaves no container', needsDocker, async () => {
  const containers = await startAgent();
  containers.launch(dockerSpec('no-image', { value: 'true' }, { image: 'localhost:1/none:1' }));
  assert.match(await nextFailure('no-image'), /^image: .*localhost:1/);
  const program = { shell: false, value: 'x' };
  containers.launch(dockerSpec('no-program', program, { parameters: [parameter('entrypoint', '/none')] }));
  assert.match(await nextFailure('no-program'), /\/none/);
  containers.launch(
    dockerSpec(
      'no-network',
      { value: 'true' },
      { network: 'USER' },
      { info: { network_infos: [{ name: 'missing' }] } },
    ),
  );
  assert.match(await nextFailure('no-network'), /network missing not found/);
  containers.launch(dockerSpec('unknown', { value: 'true' }, { parameters: [parameter('frobnicate', '1')] }));
  assert.match(await nextFailure('unknown'), /parameters\[0\]\.key: "frobnicate"/);
  assert.deepEqual(await engine.call('GET', '/containers/json?all=1'), []);
});

test(
  'volumes of the host and of the sandbox are mounted, read-only ones too; no link of the sandbox is followed',
  needsDocker,
  async () => {
    const containers = await startAgent();
    mkdirSync(`${root}/host`);
    writeFileSync(`${root}/host/file`, 'of the host\n');
    const place = { root: `${root}/volumes`, names: ['v1'] };
    const volumes = [
      { container_path: '/host', host_path: `${root}/host`, mode: 'RO' },
      { container_path: '/data', host_path: 'below/sandbox', mode: 'RW' },
    ] as const;
    const script =
      'cat /host/file; echo x > /host/new || echo refused; echo data > /data/made; echo kept > $MESOS_SANDBOX/kept/file';
    const extra = { info: { volumes }, volumes: [{ containerPath: 'kept', place }] };
    const it = dockerSpec('volumes', { value: script }, {}, extra);
    containers.launch(it);
    await next('exited', 'volumes');
    assert.equal(output(it), 'of the host\nrefused\n');
    assert.equal(readFileSync(`${it.sandbox}/below/sandbox/made`, 'utf8'), 'data\n');
    assert.equal(readFileSync(`${root}/volumes/v1/file`, 'utf8'), 'kept\n');

    const linked = dockerSpec('linked', { value: 'true' }, {}, { info: { volumes: [volumes[1]] } });
    symlinkSync(`${root}/host`, `${linked.sandbox}/below`);
    containers.launch(linked);
    assert.match(await nextFailure('linked'), /volume below\/sandbox: /);
  },
);

test(
  'a container in a network of its own has an address, mapped ports, and probes that reach it',
  needsDocker,
  async () => {
    const containers = await startAgent();
    const name = 'meseta-test-net';
    const config = {
      Name: name,
      Driver: 'bridge',
      Internal: false,
      Options: { 'com.docker.network.bridge.name': `mst${process.pid}`.slice(0, 15) },
    };
    await engine.call('POST', '/networks/create', JSON.stringify(config));
    const server =
      'socket(S, 2, 1, 6); bind(S, pack("S n N x8", 2, 8080, 0)) or die; listen(S, 9); $SIG{CHLD} = "IGNORE"; $| = 1; print "up\\n"; while (accept(C, S)) { sysread(C, $b, 9999); syswrite(C, "HTTP/1.1 204 No\\r\\nConnection: close\\r\\n\\r\\n"); close C }';
    const port = await freePort();
    const ports: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: port, end: port }] } };
    const it = dockerSpec(
      'net',
      { shell: false, value: 'perl', arguments: ['-e', server] },
      { network: 'USER', port_mappings: [{ host_port: port, container_port: 8080 }] },
      { info: { network_infos: [{ name, groups: ['g'] }] }, resources: [scalar('mem', 64), ports] },
    );
    try {
      containers.launch(it);
      const { facts } = await next('started', 'net');
      const [network] = facts?.networkInfos ?? [];
      assert.match(network?.ip_addresses?.[0]?.ip_address ?? '', /^172\.|^192\.168\.|^10\./);
      assert.deepEqual([network?.name, network?.groups], [name, ['g']]);
      await until('it listens', () => output(it) === 'up\n');
      const id = 'net' as ContainerId;
      const http = { kind: 'http', scheme: 'http', port: 8080, path: '/health', ipv6: false } as const;
      assert.deepEqual(await containers.probe(id, http, 5000), { kind: 'http', statusCode: 204 });
      assert.deepEqual(await containers.probe(id, { kind: 'tcp', port: 8080, ipv6: false }, 5000), {
        kind: 'tcp',
        succeeded: true,
      });
      assert.deepEqual(await containers.probe(id, { kind: 'tcp', port: 8081, ipv6: false }, 5000), {
        kind: 'tcp',
        succeeded: false,
      });
      const mapped = connect(port, '127.0.0.1');
      await new Promise((resolve, reject) => mapped.once('connect', resolve).once('error', reject));
      mapped.destroy();
      assert.deepEqual(await containers.probe(id, { kind: 'tcp', port: 8080, ipv6: true }, 5000), {
        kind: 'failed',
        message: 'the container has no IPv6 address',
      });
    } finally {
      await engine.removeContainers();
      await engine.call('DELETE', `/networks/${name}`);
    }
  },
);

test(
  'a command probe runs in the container with its own variables; at its timeout it is killed',
  needsDocker,
  async () => {
    const containers = await startAgent();
    containers.launch(dockerSpec('probed', { value: 'sleep 100' }));
    await next('started', 'probed');
    const id = 'probed' as ContainerId;
    const probe = (value: string) => ({
      kind: 'command' as const,
      command: { value, environment: { variables: [{ name: 'V', value: '4' }] } },
      environment: { V: '4', OF_IMAGE: 'agent' },
    });
    assert.deepEqual(await containers.probe(id, probe('exit $V'), 5000), {
      kind: 'command',
      status: { kind: 'exited', code: 4 },
    });
    assert.deepEqual(await containers.probe(id, probe('test "$OF_IMAGE" = yes'), 5000), {
      kind: 'command',
      status: { kind: 'exited', code: 0 },
    });
    assert.deepEqual(await containers.probe(id, probe('sleep 77'), 300), { kind: 'timedOut' });
    const { Processes } = (await engine.call('GET', '/containers/mesos-probed/top')) as {
      readonly Processes: readonly string[][];
    };
    assert.equal(
      Processes.some((columns) => columns.some((text) => text.includes('sleep 77'))),
      false,
    );
  },
);

test("usage is the engine's measurement; an update changes the limits, and lowers no memory", needsDocker, async () => {
  const containers = await startAgent();
  containers.launch(dockerSpec('used', { value: 'sleep 100' }));
  await next('started', 'used');
  const used = await containers.usage('used' as ContainerId);
  assert.ok((used?.mem_rss_bytes ?? 0) > 0 && (used?.cpus_user_time_secs ?? -1) >= 0, JSON.stringify(used));
  const limits = async () => {
    const { Memory, CpuShares } = (await inspect('used')).HostConfig;
    return { Memory, CpuShares };
  };
  const updated = async (resources: readonly Resource[], expected: object) => {
    containers.update('used' as ContainerId, { resources });
    for (let attempt = 0; attempt < 100 && JSON.stringify(await limits()) !== JSON.stringify(expected); attempt++);
    assert.deepEqual(await limits(), expected);
  };
  await updated([scalar('cpus', 1), scalar('mem', 128)], { Memory: 128 * 2 ** 20, CpuShares: 1024 });
  await updated([scalar('cpus', 2), scalar('mem', 64)], { Memory: 128 * 2 ** 20, CpuShares: 2048 });
});

test(
  'DOCKER-2, DOCKER-OUTPUT-1: the next agent finds what runs and what ended, with all output once, and kills orphans',
  needsDocker,
  async () => {
    const first = await startAgent();
    const running = dockerSpec('running', {
      value: 'i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; exit 9',
    });
    const ended = dockerSpec('ended', { value: 'echo one; sleep 1; echo two; exit 5' });
    const forgotten = dockerSpec('forgotten', { value: 'true' });
    for (const it of [running, ended, forgotten]) first.launch(it);
    for (const id of ['running', 'ended']) await next('started', id);
    await next('exited', 'forgotten');
    first.remove('forgotten' as ContainerId);
    await until('it is forgotten', () => !existsSync(`${root}/run/docker/forgotten`));
    await until('its output is whole', () => output(ended) === 'one\n');
    await first.close();
    const orphan = { Image: IMAGE, Cmd: ['/bin/sleep', '100'], Labels: { 'meseta.agent': 'test' } };
    await engine.call('POST', '/containers/create?name=mesos-orphan', JSON.stringify(orphan));
    await engine.call('POST', '/containers/mesos-orphan/start');
    const foreign = { ...orphan, Labels: { 'meseta.agent': 'another' } };
    await engine.call('POST', '/containers/create?name=mesos-foreign', JSON.stringify(foreign));
    await engine.call('POST', '/containers/mesos-foreign/start');
    await engine.call('POST', '/containers/mesos-ended/wait');
    forgetEvents();

    const second = await startAgent();
    const recovered = await second.recover();
    const pid = (await inspect('running')).State['Pid'];
    const byId = [...recovered].sort((a, b) => (a.containerId < b.containerId ? -1 : 1));
    assert.deepEqual(byId, [
      {
        containerId: 'ended',
        state: 'ended',
        status: { kind: 'exited', code: 5 },
        message: 'Container exited with status 5',
      },
      { containerId: 'running', state: 'running', pid },
    ]);
    assert.deepEqual((await next('exited', 'running')).status, { kind: 'exited', code: 9 });
    assert.equal(output(running), Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(''));
    assert.equal(output(ended), 'one\ntwo\n');
    assert.equal((await inspect('orphan')).State['Running'], false);
    assert.equal((await inspect('foreign')).State['Running'], true);
  },
);

test(
  'WATCHING-1: while the engine does not answer nothing is reported as ended; afterwards everything is',
  needsDocker,
  async () => {
    const proxy = createProxy();
    await proxy.restore();
    try {
      const containers = await startAgent({ socket: proxy.socket });
      await containers.recover();
      const ids = ['cut-1', 'cut-2', 'cut-3'];
      for (const id of ids) containers.launch(dockerSpec(id, { value: 'echo before; sleep 0.4; echo after; exit 6' }));
      containers.launch(dockerSpec('stays', { value: 'sleep 100' }));
      for (const id of [...ids, 'stays']) await next('started', id);
      proxy.cut();
      forgetEvents();
      for (const id of ids) await engine.call('POST', `/containers/mesos-${id}/wait`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.deepEqual(events, []);
      containers.launch(dockerSpec('meanwhile', { value: 'true' }));
      assert.match(await nextFailure('meanwhile'), /proxy\.sock: connect/);
      containers.destroy('stays' as ContainerId);
      await proxy.restore();
      for (const id of ids) assert.deepEqual((await next('exited', id)).status, { kind: 'exited', code: 6 });
      assert.deepEqual((await next('exited', 'stays')).status, { kind: 'exited', code: 137 });
      assert.equal(readFileSync(`${root}/sandbox cut-1's/stdout`, 'utf8'), 'before\nafter\n');
    } finally {
      proxy.close();
    }
  },
);

test('an ended container is removed from the engine after the delay', needsDocker, async () => {
  const containers = await startAgent({ removeDelayMs: 100 });
  containers.launch(dockerSpec('short', { value: 'true' }));
  await next('exited', 'short');
  for (let attempt = 0; attempt < 100; attempt++) {
    const left = (await engine.call('GET', '/containers/json?all=1')) as readonly unknown[];
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the container is still there');
});

test(
  'where both containerizers are enabled, a task without a container is no container of the engine',
  needsDocker,
  async () => {
    const containers = await startAgent();
    const it = spec('plain', { value: 'echo $0' });
    containers.launch(it);
    assert.deepEqual((await next('exited', 'plain')).status, { kind: 'exited', code: 0 });
    assert.deepEqual(await engine.call('GET', '/containers/json?all=1'), []);
  },
);
