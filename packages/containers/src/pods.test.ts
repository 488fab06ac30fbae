// Pods and nested containers with the real launcher and supervisor of the built dist/. They need root and cgroups.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, afterEach, test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createNetworkNamespaces } from '@meseta/platform/network-namespaces';
import type { ContainerInfo, LinuxInfo, Volume } from '@meseta/wire';
import type { Containerizer } from './containerizer.js';
import { asRoot, cgroupsLeft, launcherCgroup } from './testing/cgroups.js';
import {
  alive,
  events,
  forgetEvents,
  next,
  output,
  root,
  spec,
  start,
  untilDead,
  untilFile,
} from './testing/launcher.js';
import type { ContainerSpec, OuterContainer } from './types.js';

after(() => existsSync(launcherCgroup) && rmdirSync(launcherCgroup));
/** No process, cgroup, mount or record of a pod stays. */
afterEach(() => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const records = existsSync(`${root}/run/pods`) ? readdirSync(`${root}/run/pods`) : [];
  assert.deepEqual([cgroupsLeft(), mounts.filter((line) => line.includes(root)), records], [[], [], []]);
});

const NAMES = 'filesystem/linux,volume/host_path,volume/secret,namespaces/pid,namespaces/ipc';
const startLinux = (names = NAMES): Promise<Containerizer> => start({ launcher: 'linux', isolation: { names } });

const POD = 'pod' as ContainerId;

/** A task of a pod, and its pod's sandbox. */
function podTask(id: string, value: string, container: Partial<ContainerInfo> = {}, pod: Partial<ContainerInfo> = {}) {
  const sandbox = `${root}/${POD}`;
  const outer: OuterContainer = {
    containerId: POD,
    sandbox,
    volumes: [],
    pod: { taskId: id, container: { type: 'MESOS', ...pod }, resources: [] },
  };
  const extra = { sandbox: `${sandbox}/containers/${id}`, outer, container: { type: 'MESOS' as const, ...container } };
  return spec(id, { value }, extra);
}

const nested = (id: string, value: string, parent: ContainerSpec, container: Partial<ContainerInfo>): ContainerSpec =>
  spec(
    id,
    { value },
    {
      sandbox: `${parent.sandbox}/containers/${id}`,
      outer: { containerId: parent.containerId, sandbox: parent.sandbox, volumes: [] },
      container: { type: 'MESOS', ...container },
    },
  );

const ofParent = (path: string, mode: Volume['mode'] = 'RW'): ContainerInfo['volumes'] => [
  { container_path: 'shared', mode, source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path } } },
];

async function run(containers: Containerizer, it: ContainerSpec): Promise<string> {
  containers.launch(it);
  await next('exited', it.containerId);
  return output(it) + output(it, 'stderr');
}

async function destroy(containers: Containerizer, { containerId }: ContainerSpec): Promise<void> {
  containers.destroy(containerId);
  await next('exited', containerId);
}

const namespacesOf = (pid: number): readonly string[] =>
  ['pid', 'ipc', 'mnt'].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`));

test(
  'POD-CONTAINERS-1: tasks share the pid and ipc namespaces of their pod if they ask for it, and its container ends with them',
  asRoot,
  async () => {
    const containers = await startLinux();
    const linux: LinuxInfo = { share_pid_namespace: true, ipc_mode: 'SHARE_PARENT' };
    const pod = { linux_info: { ipc_mode: 'PRIVATE' as const, shm_size: 8 } };
    const first = podTask('a', 'echo kept > /dev/shm/file; echo up > up; exec sleep 1000', { linux_info: linux }, pod);
    containers.launch(first);
    const { pid } = await next('started', 'a');
    await untilFile(`${first.sandbox}/up`);
    const script = `cat /dev/shm/file; df -k /dev/shm | tail -1 | awk '{print $2}'; grep -hl sleep /proc/[0-9]*/comm | wc -l
      tr '\\0' ' ' < /proc/1/cmdline; echo; exec sleep 1000`;
    const second = podTask('b', script, { linux_info: linux }, pod);
    containers.launch(second);
    const { pid: pidOfSecond } = await next('started', 'b');
    const seen = await untilFile(`${second.sandbox}/stdout`, (text) => text.endsWith('init \n'));
    assert.equal(seen, 'kept\n8192\n1\nmeseta-init \n');
    const [pids, ipc, mounts] = namespacesOf(pid);
    const ofSecond = namespacesOf(pidOfSecond);
    assert.deepEqual(ofSecond.slice(0, 2), [pids, ipc]);
    assert.notEqual(ofSecond[2], mounts);
    assert.notDeepEqual([pids, ipc], namespacesOf(process.pid).slice(0, 2));
    const others = podTask('c', `ls /dev/shm; ls -d /proc/[0-9]* | wc -l; readlink /proc/self/ns/ipc`, {}, pod);
    const [count, ownIpc] = (await run(containers, others)).trim().split('\n').slice(-2);
    assert.ok(Number(count) < 6, count);
    assert.notEqual(ownIpc, ipc);
    const probe = { kind: 'command', command: { value: 'grep -q kept /dev/shm/file' }, environment: {} } as const;
    const passed = { kind: 'command', status: { kind: 'exited', code: 0 } };
    assert.deepEqual(await containers.probe(second.containerId, probe, 20_000), passed);
    await destroy(containers, first);
    assert.equal(alive(pidOfSecond), true);
    assert.ok(cgroupsLeft().includes(POD));
    await destroy(containers, second);
    assert.deepEqual(cgroupsLeft(), []);
  },
);

test('a pod without common parts has no container', asRoot, async () => {
  const containers = await startLinux();
  const it = podTask('alone', 'echo up > up; exec sleep 1000');
  containers.launch(it);
  await next('started', 'alone');
  assert.deepEqual(cgroupsLeft(), ['alone']);
  await destroy(containers, it);
});

test("the volumes of a pod's executor are mounts that its tasks show by SANDBOX_PATH", asRoot, async () => {
  const containers = await startLinux();
  mkdirSync(`${root}/host/below`, { recursive: true });
  writeFileSync(`${root}/host/below/file`, 'of the machine\n');
  const secret = { type: 'VALUE' as const, value: { data: Buffer.from('hidden').toString('base64') } };
  const pod: Partial<ContainerInfo> = {
    volumes: [
      { container_path: 'data', mode: 'RW', source: { type: 'HOST_PATH', host_path: { path: `${root}/host` } } },
      { container_path: 'key', mode: 'RO', source: { type: 'SECRET', secret } },
    ],
  };
  const write = 'cat shared/file; (echo x > shared/new) 2> /dev/null || echo refused';
  const task = (id: string, value: string, path: string, mode?: Volume['mode']): ContainerSpec =>
    podTask(id, value, { volumes: ofParent(path, mode) }, pod);
  assert.equal(await run(containers, task('ro', write, 'data/below', 'RO')), 'of the machine\nrefused\n');
  assert.equal(await run(containers, task('rw', write, 'data/below')), 'of the machine\n');
  assert.deepEqual(readdirSync(`${root}/host/below`).sort(), ['file', 'new']);
  assert.equal(await run(containers, task('key', 'cat shared', 'key')), 'hidden');
});

test(
  'a nested container shares the namespaces of its parent if it asks for it, and sees what is mounted in its sandbox',
  asRoot,
  async () => {
    const containers = await startLinux();
    mkdirSync(`${root}/host`);
    writeFileSync(`${root}/host/file`, 'of the machine\n');
    const volumes: Volume[] = [{ container_path: 'data', mode: 'RW', host_path: `${root}/host` }];
    const linux_info: LinuxInfo = { ipc_mode: 'PRIVATE' };
    const command = { value: 'echo shm > /dev/shm/f; echo up > up; exec sleep 1000' };
    const parent = spec('parent', command, { container: { type: 'MESOS', volumes, linux_info } });
    containers.launch(parent);
    const { pid } = await next('started', 'parent');
    await untilFile(`${parent.sandbox}/up`);
    const script = 'cat shared/file; cat /dev/shm/f; readlink /proc/self/ns/pid; exec cat /proc/2/comm';
    const sharing = nested('n', script, parent, {
      volumes: ofParent('data'),
      linux_info: { share_pid_namespace: true, ipc_mode: 'SHARE_PARENT' },
    });
    const pids = readlinkSync(`/proc/${pid}/ns/pid`);
    assert.equal(await run(containers, sharing), `of the machine\nshm\n${pids}\nsleep\n`);
    const apart = nested('own', 'readlink /proc/self/ns/pid; test -e /dev/shm/f || echo none', parent, {});
    const seen = await run(containers, apart);
    assert.ok(seen.endsWith('\nnone\n') && !seen.startsWith(pids), seen);
    await destroy(containers, parent);
  },
);

test(
  'MOUNTS-1: a link that a parent put in its sandbox leads no mount of a nested container anywhere, nor does a missing path',
  asRoot,
  async () => {
    const containers = await startLinux();
    mkdirSync(`${root}/secret`, { mode: 0o700 });
    const command = { value: 'mkdir -p d; echo up > up; exec sleep 1000' };
    const parent = spec('parent', command);
    containers.launch(parent);
    await next('started', 'parent');
    await untilFile(`${parent.sandbox}/up`);
    symlinkSync(`${root}/secret`, `${parent.sandbox}/link`);
    for (const [index, path] of ['link', 'link/x'].entries()) {
      const it = nested(`n${index}`, 'true', parent, { volumes: ofParent(path) });
      containers.launch(it);
      assert.match(
        await refusal(it),
        /^volume shared: .*link: is not a directory|Too many levels of symbolic links/,
        path,
      );
    }
    assert.deepEqual(readdirSync(`${root}/secret`), []);
    await destroy(containers, parent);
  },
);

/** Why a container is not launched. */
async function refusal({ containerId }: ContainerSpec): Promise<string> {
  for (;;) {
    const ended = events.find((event) => event.containerId === containerId && event.kind !== 'started');
    if (ended !== undefined) return ended.kind === 'launchFailed' ? ended.message : JSON.stringify(ended);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test(
  'POD-CONTAINERS-2: the next agent knows the container of a pod whose tasks run, and ends that of a pod whose tasks have ended',
  asRoot,
  async () => {
    const linux_info: LinuxInfo = { share_pid_namespace: true };
    const first = await startLinux();
    const it = podTask('a', 'exec sleep 1000', { linux_info });
    first.launch(it);
    const { pid } = await next('started', 'a');
    await first.close();
    forgetEvents();
    const second = await startLinux();
    assert.deepEqual(await second.recover(), [{ containerId: 'a', state: 'running', pid }]);
    const later = podTask('b', `test $(readlink /proc/self/ns/pid) = '${readlinkSync(`/proc/${pid}/ns/pid`)}'`, {
      linux_info,
    });
    second.launch(later);
    assert.deepEqual((await next('exited', 'b')).status, { kind: 'exited', code: 0 });
    await second.close();
    process.kill(pid, 'SIGKILL');
    await untilDead(pid);
    forgetEvents();
    const third = await startLinux();
    const found = await third.recover();
    const known = found.find(({ containerId }) => containerId === 'a');
    if (known?.state !== 'ended') await next('exited', 'a');
    while (cgroupsLeft().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  },
);

test('a task whose pod can have no container is not started, and nothing is left', asRoot, async () => {
  const containers = await startLinux();
  const pod: Partial<ContainerInfo> = {
    volumes: [{ container_path: 'data', mode: 'RW', host_path: `${root}/missing` }],
  };
  const it = podTask('a', 'true', {}, pod);
  containers.launch(it);
  assert.match(await refusal(it), /^the container of the pod: volume data: .*missing/);
});

const calls = (): readonly string[] => readFileSync(`${root}/calls`, 'utf8').trim().split('\n');

/** With a network of a plugin that writes how it was called to a file. */
function startInNetworks(): Promise<Containerizer> {
  const [configDir, pluginsDir] = [`${root}/config`, `${root}/plugins`];
  for (const directory of [configDir, pluginsDir]) mkdirSync(directory, { recursive: true });
  writeFileSync(`${configDir}/plain.conf`, '{"cniVersion": "1.0.0", "name": "plain", "type": "plain"}');
  const script = `#!/bin/sh\necho "$CNI_COMMAND $CNI_IFNAME" >>'${root}/calls'\necho '{"ips": [{"address": "10.1.0.5/16"}]}'\n`;
  writeFileSync(`${pluginsDir}/plain`, script, { mode: 0o755 });
  const rootDir = `${root}/run/isolators/network/cni`;
  const cni = {
    configDir,
    pluginsDir,
    rootDir,
    pluginTimeoutMs: 60_000,
    defaultDns: [],
    namespaces: createNetworkNamespaces(),
  };
  return start({ launcher: 'linux', isolation: { names: 'filesystem/linux,network/cni', cni } });
}

test(
  'NETWORK-CNI-2, POD-CONTAINERS-1: the tasks of a pod are in its network, until the last one has ended',
  asRoot,
  async () => {
    const containers = await startInNetworks();
    const container: Partial<ContainerInfo> = { hostname: 'ours', network_infos: [{ name: 'plain' }] };
    const task = (id: string, value: string, isShell = true): ContainerSpec => {
      const command = isShell ? { value } : { shell: false, value: process.execPath, arguments: ['node', '-e', value] };
      return { ...podTask(id, value, {}, container), command };
    };
    const server = task(
      'server',
      `require('http').createServer((q, s) => s.end()).listen(8097, () => console.log('up'))`,
      false,
    );
    containers.launch(server);
    const { pid, networks } = await next('started', 'server');
    assert.deepEqual(networks?.[0]?.ip_addresses?.[0]?.ip_address, '10.1.0.5');
    await untilFile(`${server.sandbox}/stdout`);
    const http = { kind: 'http', scheme: 'http', port: 8097, path: '/', ipv6: false } as const;
    assert.deepEqual(await containers.probe(server.containerId, http, 20_000), { kind: 'http', statusCode: 200 });
    const get = `fetch('http://localhost:8097').then((it) => console.log(it.status))`;
    const client = task('client', get, false);
    containers.launch(client);
    await next('exited', 'client');
    assert.equal(output(client), '200\n');
    const shown = task('shown', 'hostname; readlink /proc/self/ns/net; echo $MESOS_CONTAINER_IP; exec sleep 1000');
    containers.launch(shown);
    assert.deepEqual((await next('started', 'shown')).networks, networks);
    const text = await untilFile(`${shown.sandbox}/stdout`, (it) => it.split('\n').length === 4);
    assert.equal(text, `ours\n${readlinkSync(`/proc/${pid}/ns/net`)}\n10.1.0.5\n`);
    await containers.close();
    forgetEvents();
    const after = await startInNetworks();
    const running = (await after.recover()).filter(({ state }) => state === 'running');
    assert.deepEqual(
      running.map((it) => it.state === 'running' && it.networks),
      [networks, networks],
    );
    assert.deepEqual(calls(), ['ADD eth0']);
    for (const it of [server, shown]) {
      after.destroy(it.containerId);
      await next('exited', it.containerId);
    }
    assert.deepEqual(calls(), ['ADD eth0', 'DEL eth0']);
  },
);
