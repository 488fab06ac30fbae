// The linux launcher on this machine: cgroups, namespaces and volumes of real containers. It needs root and cgroups.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
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
import { until } from '@meseta/platform/testing/until';
import type { ContainerInfo } from '@meseta/wire';
import { asRoot, CGROUPS, cgroupsLeft, launcherCgroup } from '../../testing/cgroups.js';
import {
  alive,
  forgetEvents,
  next,
  nextFailure,
  output,
  root,
  spec,
  start as startContainerizer,
  untilDead,
  untilFile,
} from '../../testing/launcher.js';
import type { ContainerSpec } from '../../types.js';

const NOBODY = 65534;

const start = (names = 'filesystem/linux,volume/host_path,namespaces/pid,namespaces/ipc') =>
  startContainerizer({ launcher: 'linux', isolation: { names } });

/** The mounts in the directory of the running test. */
const mountsOfTest = (): readonly string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(root));

afterEach(() => assert.deepEqual(mountsOfTest(), []));
after(() => {
  assert.deepEqual(cgroupsLeft(), []);
  if (existsSync(launcherCgroup)) rmdirSync(launcherCgroup);
});

const volume = (path: string, mode: 'RW' | 'RO' = 'RW'): ContainerInfo => ({
  type: 'MESOS',
  volumes: [{ container_path: 'shared', mode, source: { type: 'HOST_PATH', host_path: { path } } }],
});

async function run(it: ContainerSpec, containers: Awaited<ReturnType<typeof start>>): Promise<string> {
  containers.launch(it);
  await next('exited', it.containerId);
  return output(it) + output(it, 'stderr');
}

test('nothing of a container stays: no process, cgroup, mount or namespace', asRoot, async () => {
  const containers = await start();
  const source = `${root}/host`;
  mkdirSync(source);
  const command = { value: '(setsid sleep 1000 &) ; (setsid setsid sleep 1000 &); sleep 1000' };
  const it = spec('c', command, { container: volume(source) });
  containers.launch(it);
  const { pid } = await next('started', 'c');
  const read = (): readonly number[] =>
    readFileSync(`${launcherCgroup}/c/cgroup.procs`, 'utf8').trim().split('\n').map(Number);
  // The first process of the namespace, the shell and three that sleep.
  await until('all processes run', () => read().length >= 5);
  const namespace = readlinkSync(`/proc/${pid}/ns/pid`);
  assert.notEqual(namespace, readlinkSync('/proc/self/ns/pid'));
  const processes = read();
  containers.destroy(it.containerId);
  const { status } = await next('exited', 'c');
  assert.deepEqual(status, { kind: 'signaled', signal: 9 });
  for (const process of processes) assert.equal(alive(process), false);
  assert.deepEqual(cgroupsLeft(), []);
});

test(
  'LIFECYCLE-1: the status is exact, and processes that a task leaves end before its end is reported',
  asRoot,
  async () => {
    const containers = await start();
    const it = spec('left', { value: '(setsid setsid sleep 1000 &); sleep 1000 & exit 137' });
    containers.launch(it);
    const { pid } = await next('started', 'left');
    const { status } = await next('exited', 'left');
    assert.deepEqual(status, { kind: 'exited', code: 137 });
    assert.equal(alive(pid), false);
    assert.deepEqual(cgroupsLeft(), []);
  },
);

test('a signal reaches every process of a container, also those that left its session', asRoot, async () => {
  const containers = await start('posix/cpu');
  // When the first one has ended, the others are killed: it ends last.
  const end = 'while [ $(wc -l < signals) -lt 2 ]; do sleep 0.02; done; exit 0';
  const trap = (last: string): string =>
    `trap "echo got >> signals; ${last}" TERM; echo up >> up; while :; do sleep 0.05; done`;
  const script = `(setsid setsid sh ./other &); ${trap(end.replace('$', '\\$'))}`;
  const it = spec('signalled', { value: script });
  writeFileSync(`${it.sandbox}/other`, trap('exit 0'));
  containers.launch(it);
  await next('started', 'signalled');
  await untilFile(`${it.sandbox}/up`, (text) => text === 'up\nup\n');
  containers.signal(it.containerId, 15);
  await untilFile(`${it.sandbox}/signals`, (text) => text === 'got\ngot\n');
  await next('exited', 'signalled');
});

test(
  'LIFECYCLE-2, SUPERVISOR-2: containers survive the agent and its supervisor, and are found by their records',
  asRoot,
  async () => {
    const first = await start();
    const it = spec('survives', { value: 'echo up > up; (setsid setsid sleep 1000 &); exec sleep 1000' });
    first.launch(it);
    const { pid } = await next('started', 'survives');
    await untilFile(`${it.sandbox}/up`);
    const lock = readdirSync(`${root}/run/containers`);
    const supervisor = supervisorOf(pid);
    await first.close();
    process.kill(supervisor, 'SIGKILL');
    await untilDead(supervisor);
    forgetEvents();
    const second = await start();
    const recovered = await second.recover();
    assert.deepEqual(recovered, [{ containerId: 'survives', state: 'running', pid }], lock.join());
    const probe = {
      kind: 'command',
      command: { value: 'test "$(hostname)" && ls -d /proc/1' },
      environment: {},
    } as const;
    assert.deepEqual(await second.probe(it.containerId, probe, 10_000), {
      kind: 'command',
      status: { kind: 'exited', code: 0 },
    });
    second.destroy(it.containerId);
    assert.equal((await next('exited', 'survives')).status.kind, 'unknown');
    assert.deepEqual(cgroupsLeft(), []);
  },
);

/** Its parent. */
const supervisorOf = (pid: number): number =>
  Number(
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[1],
  );

test('a container that ends while no agent runs leaves no cgroup, also if no agent comes back', asRoot, async () => {
  const containers = await start();
  const it = spec('alone', { value: 'while [ ! -e go ]; do sleep 0.02; done' });
  containers.launch(it);
  await next('started', 'alone');
  await containers.close();
  writeFileSync(`${it.sandbox}/go`, '');
  await until('no cgroup is left', () => cgroupsLeft().length === 0);
});

test('LIFECYCLE-2: the cgroup of a container that was not started is removed by the next agent', asRoot, async () => {
  const first = await start();
  await first.close();
  mkdirSync(`${launcherCgroup}/orphan`);
  const record = { containerId: 'orphan', sandbox: `${root}/s`, resources: [], volumes: [] };
  writeFileSync(`${root}/run/records/orphan`, `${JSON.stringify(record)}\n`);
  const second = await start();
  assert.deepEqual(await second.recover(), []);
  await until('no cgroup is left', () => cgroupsLeft().length === 0);
});

test(
  'a volume of the machine is a mount in the sandbox, for a directory and for a file; RO can not be written',
  asRoot,
  async () => {
    const containers = await start();
    mkdirSync(`${root}/host`);
    writeFileSync(`${root}/host/file`, 'of the machine\n');
    const script = 'cat shared/file; (echo x > shared/new) 2> /dev/null || echo refused';
    const readOnly = spec('ro', { value: script }, { container: volume(`${root}/host`, 'RO') });
    assert.equal(await run(readOnly, containers), 'of the machine\nrefused\n');
    const writable = spec('rw', { value: script }, { container: volume(`${root}/host`) });
    assert.equal(await run(writable, containers), 'of the machine\n');
    assert.deepEqual(readdirSync(`${root}/host`).sort(), ['file', 'new']);
    assert.deepEqual(readdirSync(`${writable.sandbox}/shared`), []);
    const file = spec('file', { value: 'cat shared' }, { container: volume(`${root}/host/file`) });
    assert.equal(await run(file, containers), 'of the machine\n');
  },
);

test('a volume whose path is missing or in another form is refused, and nothing is left', asRoot, async () => {
  const containers = await start();
  const table: readonly [string, RegExp][] = [
    [`${root}/missing`, /volume shared: .*\/missing: ENOENT/],
    ['relative', /expected an absolute path on the machine without "\.\."/],
    ['/etc/../etc', /expected an absolute path/],
    ['', /expected an absolute path/],
  ];
  for (const [index, [path, expected]] of table.entries()) {
    containers.launch(spec(`bad-${index}`, { value: 'true' }, { container: volume(path) }));
    assert.match(await nextFailure(`bad-${index}`), expected);
  }
  assert.deepEqual(cgroupsLeft(), []);
});

test('a persistent volume is mounted in the sandbox, and keeps what a container wrote', asRoot, async () => {
  const containers = await start();
  const volumes = [{ containerPath: 'data', place: { root, names: ['volumes', 'v'] } }];
  const first = spec('writes', { value: 'echo kept > data/file; readlink data || echo mounted' }, { volumes });
  assert.equal(await run(first, containers), 'mounted\n');
  assert.equal(readFileSync(`${root}/volumes/v/file`, 'utf8'), 'kept\n');
  const second = spec('reads', { value: 'cat data/file' }, { volumes });
  assert.equal(await run(second, containers), 'kept\n');
});

test('with ipc_mode PRIVATE a container has its own /dev/shm of the size that it names', asRoot, async () => {
  const containers = await start();
  const name = `/dev/shm/meseta-test-${process.pid}`;
  const value = `echo x > ${name}; ls /dev/shm; df -k /dev/shm | tail -1 | awk '{print $2}'; readlink /proc/self/ns/ipc`;
  const container: ContainerInfo = { type: 'MESOS', linux_info: { ipc_mode: 'PRIVATE', shm_size: 8 } };
  const lines = (await run(spec('shm', { value }, { container }), containers)).split('\n');
  assert.deepEqual(lines.slice(0, 2), [name.slice('/dev/shm/'.length), '8192']);
  assert.notEqual(lines[2], readlinkSync('/proc/self/ns/ipc'));
  assert.equal(existsSync(name), false);
});

test(
  'a session is in the namespaces of its parent, with its privileges, and ends with an unknown parent',
  asRoot,
  async () => {
    const containers = await startContainerizer({
      launcher: 'linux',
      isolation: {
        names: 'filesystem/linux,volume/host_path,namespaces/pid,linux/capabilities,linux/nnp',
        capabilities: { effective: { capabilities: ['CHOWN'] }, bounding: { capabilities: ['CHOWN'] } },
      },
    });
    mkdirSync(`${root}/host`);
    writeFileSync(`${root}/host/file`, 'of the machine\n');
    const command = { value: 'cp shared/file /dev/null && echo up > up; exec sleep 1000' };
    const parent = spec('parent', command, { container: volume(`${root}/host`) });
    containers.launch(parent);
    await next('started', 'parent');
    await untilFile(`${parent.sandbox}/up`);
    const script =
      "cat shared/file; tr '\\0' ' ' < /proc/1/cmdline; grep CapEff /proc/self/status | cut -f 2; ps -e | wc -l";
    const outer = { containerId: parent.containerId, sandbox: parent.sandbox, volumes: [] };
    const session = spec('session', { value: script }, { isSession: true, outer });
    const text = await run(session, containers);
    assert.match(text, /^of the machine\nmeseta-init 0{15}1\n[4-7]\n$/);
    const orphan = spec(
      'orphan',
      { value: 'true' },
      { isSession: true, outer: { ...outer, containerId: spec('no', {}).containerId } },
    );
    containers.launch(orphan);
    assert.equal(await nextFailure('orphan'), 'its parent container does not run');
    containers.destroy(parent.containerId);
    await next('exited', 'parent');
  },
);

/** Why a container is not launched. */
function refusal(it: ContainerSpec, containers: Awaited<ReturnType<typeof start>>): Promise<string> {
  containers.launch(it);
  return nextFailure(it.containerId);
}

test(
  'ISOLATION-2, MOUNTS-1: links that a task put in its sandbox or volume lead no mount anywhere',
  asRoot,
  async () => {
    const containers = await start();
    mkdirSync(`${root}/host`);
    writeFileSync(`${root}/host/file`, 'of the machine\n');
    mkdirSync(`${root}/secret`, { mode: 0o700 });
    const inSandbox = spec('target', { value: 'true' }, { container: volume(`${root}/host`) });
    symlinkSync(`${root}/secret`, `${inSandbox.sandbox}/shared`);
    assert.match(await refusal(inSandbox, containers), /^volume shared: .*\/shared: is not a directory/);
    const onTheWay = spec(
      'way',
      { value: 'true' },
      {
        container: {
          type: 'MESOS',
          volumes: [{ container_path: 'way/shared', mode: 'RW', host_path: `${root}/host` }],
        },
      },
    );
    symlinkSync(`${root}/secret`, `${onTheWay.sandbox}/way`);
    assert.match(await refusal(onTheWay, containers), /^volume way\/shared: .*\/way: is not a directory/);
    // A user's directory, whose entries the user can replace at any time.
    mkdirSync(`${root}/of-nobody`);
    chownSync(`${root}/of-nobody`, NOBODY, NOBODY);
    symlinkSync(`${root}/secret`, `${root}/of-nobody/data`);
    const source = spec('source', { value: 'ls shared' }, { container: volume(`${root}/of-nobody/data`) });
    assert.match(
      await refusal(source, containers),
      /a symbolic link that others than root can replace is not followed/,
    );
    assert.deepEqual([readdirSync(`${root}/secret`), cgroupsLeft()], [[], []]);
  },
);

test('a path of a volume that leaves the sandbox is refused', asRoot, async () => {
  const containers = await start();
  for (const [index, path] of ['../up', 'a/../../up', '/../etc', '/', '/proc/sys', '/dev', ''].entries()) {
    const container: ContainerInfo = {
      type: 'MESOS',
      volumes: [{ container_path: path, mode: 'RW', host_path: root }],
    };
    const text = await refusal(spec(`path-${index}`, { value: 'true' }, { container }), containers);
    assert.match(
      text,
      /container\.volumes\[0\]\.container_path: expected a relative path|expected a path inside/,
      path,
    );
  }
});

test(
  'a user without privileges leaves neither its cgroup nor its namespaces, and sees no process of the machine',
  asRoot,
  async () => {
    const containers = await startContainerizer({
      launcher: 'linux',
      isolation: { names: 'filesystem/linux,namespaces/pid,linux/nnp' },
    });
    chmodSync(root, 0o755);
    const script = `
    echo $$ > ${CGROUPS}/unified/cgroup.procs; echo $$ > ${CGROUPS}/freezer/cgroup.procs
    nsenter -t 1 -m true && echo entered; mount -t tmpfs none . && echo mounted; mknod device c 1 3 && echo made
    [ -e /proc/${process.pid}/cmdline ] && echo seen; grep -h NoNewPrivs /proc/self/status
    kill -9 1; sleep 0.1; echo lives`;
    const it = spec('user', { value: `exec 2> /dev/null; ${script}` }, { user: 'nobody' });
    chownSync(it.sandbox, NOBODY, NOBODY);
    assert.equal(await run(it, containers), 'NoNewPrivs:\t1\nlives\n');
    assert.deepEqual(cgroupsLeft(), []);
  },
);
