// Namespaces, mounts and capabilities of children, on this machine. They need root.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import type { ChildRequest, LinuxMount, LinuxPlan } from '@meseta/base';
import { children, endOf, startTicksOf } from './testing/children.js';
import {
  asRoot,
  bind,
  MACHINE,
  newDirectory,
  newRoot,
  nobody,
  read,
  requestIn,
  root,
  run,
} from './testing/isolation.js';
import { makeLeasedProgram } from './testing/lease.js';
import { until } from './testing/until.js';

const capEff = (): string => /^CapEff:\s*(\w+)/m.exec(read('/proc/self/status'))?.[1] ?? '0';

/** The namespaces of this kind that a process is in. */
const namespacesOfProcesses = (kind: string): ReadonlySet<string> =>
  new Set(
    readdirSync('/proc').flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${name}/ns/${kind}`)];
      } catch {
        return [];
      }
    }),
  );

test(
  'ISOLATION-1, PID-NAMESPACES-1: a pid namespace shows only the processes of the container, which end with its first one',
  asRoot,
  async () => {
    const path = newDirectory();
    const script = `
    ls -d /proc/[0-9]* | wc -l; tr '\\0' '\\n' < /proc/1/cmdline; grep -E 'Cap(Eff|Bnd)' /proc/1/status
    (sleep 1000 & echo $!) > pid; nohup setsid sleep 1001 > /dev/null & exit 137`;
    const started = children.start(requestIn(path, script, { namespaces: ['mount', 'pid'] }));
    assert.ok(started.ok, started.ok ? '' : started.error);
    const inside = readlinkSync(`/proc/${started.value.pid}/ns/pid`);
    assert.deepEqual(await endOf(started.value.pid), { kind: 'exited', code: 137 });
    const [count, ...rest] = read(`${path}/stdout`).split('\n');
    assert.ok(Number(count) <= 4, count);
    assert.deepEqual(rest, ['meseta-init', 'CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000', '']);
    await until('the namespace ends', () => !namespacesOfProcesses('pid').has(inside));
  },
);

/** Calls `run` while no file of this process or its children can grow (SIGXFSZ is ignored by Node). */
function withoutRoomInFiles<T>(run: () => T): T {
  const limit = (soft: string): Buffer => execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${soft}:`]);
  limit('0');
  try {
    return run();
  } finally {
    limit('unlimited');
  }
}

test(
  'PID-NAMESPACES-1: a namespace ends although the message that its command can not be executed finds no room',
  asRoot,
  async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const namespaces: LinuxPlan['namespaces'] = ['mount', 'pid'];
    const missing = { ...requestIn(newDirectory(), '', { namespaces }), program: '/no/such/program' };
    const before = descriptors();
    const started = withoutRoomInFiles(() => children.start(missing));
    assert.ok(started.ok, started.ok ? '' : started.error);
    assert.deepEqual(await endOf(started.value.pid), { kind: 'exited', code: 127 });
    assert.equal(descriptors(), before);
    const inits = (): readonly string[] =>
      read(`/proc/self/task/${process.pid}/children`)
        .split(' ')
        .filter((pid) => pid !== '' && read(`/proc/${pid}/comm`) === 'meseta-init\n');
    await until('the first process ends', () => inits().length === 0);
  },
);

test(
  'PID-NAMESPACES-2: a child is in the pid namespace of this process after others had their own',
  asRoot,
  async () => {
    const path = newDirectory();
    const missing = { ...requestIn(path, '', { namespaces: ['mount', 'pid'] }), cgroups: ['/no/such/cgroup'] };
    assert.equal(children.start(missing).ok, false);
    await run(newDirectory(), 'exit 0', { namespaces: ['mount', 'pid'] });
    assert.equal(await run(path, 'readlink /proc/self/ns/pid', {}), `${readlinkSync('/proc/self/ns/pid')}\n`);
  },
);

test('a signal from outside reaches the first process of a container with a pid namespace', asRoot, async () => {
  const path = newDirectory();
  const started = children.start(requestIn(path, 'exec sleep 1000', { namespaces: ['mount', 'pid'] }));
  assert.ok(started.ok);
  process.kill(started.value.pid, 'SIGTERM');
  assert.deepEqual(await endOf(started.value.pid), { kind: 'signaled', signal: 15 });
});

test(
  'CHILDREN-6: a process enters the namespaces of a running container, and of no process that reuses its pid',
  asRoot,
  async () => {
    const path = newDirectory();
    const other = newDirectory();
    const shared = newDirectory();
    const linux: Partial<LinuxPlan> = {
      namespaces: ['mount', 'pid', 'ipc', 'uts'],
      hostname: 'inside',
      mounts: [bind(shared, other)],
    };
    const first = children.start(requestIn(path, 'exec sleep 1000', linux));
    assert.ok(first.ok, first.ok ? '' : first.error);
    const startTicks = startTicksOf(first.value.pid);
    const enter = { pid: first.value.pid, startTicks };
    const script = `echo inside > ${other}/file; hostname; ls -d /proc/[0-9]* | wc -l; readlink /proc/self/ns/ipc`;
    const [name, count, ipc] = (await run(path, script, linux, { enter })).split('\n');
    assert.deepEqual([name, ipc], ['inside', readlinkSync(`/proc/${first.value.pid}/ns/ipc`)]);
    assert.ok(Number(count) <= 5, count);
    assert.equal(read(`${shared}/file`), 'inside\n');
    const reused = children.start(requestIn(path, 'true', linux, { enter: { ...enter, startTicks: startTicks + 1 } }));
    assert.match(reused.ok ? '' : reused.error, /^process \d+ has ended$/);
    process.kill(first.value.pid, 'SIGKILL');
    await endOf(first.value.pid);
  },
);

test('a mount is seen in the container only, and a read-only one can not be written to', asRoot, async () => {
  const path = newDirectory();
  const source = newDirectory();
  mkdirSync(`${path}/volume`);
  writeFileSync(`${source}/file`, 'of the machine\n');
  const script = 'cat volume/file; (echo x > volume/file) 2> /dev/null || echo refused';
  for (const [isReadOnly, end] of [
    [true, 'refused\n'],
    [false, ''],
  ] as const) {
    const mounts = [bind(source, `${path}/volume`, isReadOnly)];
    rmSync(`${path}/stdout`, { force: true });
    assert.equal(await run(path, script, { namespaces: ['mount'], mounts }), `of the machine\n${end}`);
  }
  assert.equal(read(`${source}/file`), 'x\n');
  assert.deepEqual(readdirSync(`${path}/volume`), []);
});

test('MOUNTS-1: no link that another user can replace leads to the source of a mount', asRoot, async () => {
  const path = newDirectory();
  const secret = newDirectory();
  mkdirSync(`${path}/volume`);
  writeFileSync(`${secret}/file`, 'secret\n');
  const users = newDirectory();
  symlinkSync(secret, `${users}/link`);
  symlinkSync(`${users}/link`, `${root}/trusted-link`);
  const show = (source: LinuxMount): Promise<string> => {
    rmSync(`${path}/stdout`, { force: true });
    return run(path, 'cat volume/file', { namespaces: ['mount'], mounts: [source] });
  };
  // Only root can replace these.
  assert.equal(await show(bind(`${root}/trusted-link`, `${path}/volume`)), 'secret\n');
  chownSync(users, nobody, nobody);
  const expected = /a symbolic link that others than root can replace is not followed/;
  assert.match(await show(bind(`${users}/link`, `${path}/volume`)), expected);
  assert.match(await show(bind(`${root}/trusted-link`, `${path}/volume`)), expected);
  const below = { kind: 'bind', source: { root: users, names: ['link'] }, target: `${path}/volume` } as const;
  assert.match(await show({ ...below, isReadOnly: false }), expected);
});

test('ISOLATION-2: a link in the place of a mount point ends the launch, and nothing is mounted', asRoot, async () => {
  const path = newDirectory();
  const source = newDirectory();
  symlinkSync('/etc', `${path}/volume`);
  const started = await run(path, 'ls /etc', { namespaces: ['mount'], mounts: [bind(source, `${path}/volume`)] });
  assert.match(started, /^Failed to mount .*\/volume: Too many levels of symbolic links/);
});

test('MOUNTS-2: links in a root file system lead to nothing outside of it', asRoot, async () => {
  const path = newDirectory();
  const source = newDirectory();
  const outside = newDirectory();
  const inside = newRoot();
  writeFileSync(`${source}/file`, 'mounted\n');
  symlinkSync(outside, `${inside}/absolute`);
  symlinkSync(`../../../../../..${outside}`, `${inside}/relative`);
  symlinkSync('../../../../../../../../etc', `${inside}/etc`);
  mkdirSync(`${inside}/own`);
  symlinkSync('/own', `${inside}/link`);
  const show = (target: string): Promise<string> => {
    const mounts = [...MACHINE, bind(source, target)];
    const linux: Partial<LinuxPlan> = { namespaces: ['mount', 'pid'], root: inside, mounts, workingDirectory: '/' };
    return run(path, `cat ${target}/file`, linux);
  };
  // What they name is not in the root, and is not made through them.
  for (const target of ['/absolute/a', '/relative/b', '/etc/c'])
    assert.match(await show(target), / is a link to nothing|: Too many levels/, target);
  assert.deepEqual([readdirSync(outside), existsSync('/etc/c')], [[], false]);
  assert.equal(await show('/link/volume'), 'mounted\n');
  assert.deepEqual(readdirSync(`${inside}/own`), ['volume']);
});

test('a container with a root of its own sees that root, with its own /proc, /dev and /sys', asRoot, async () => {
  const path = newDirectory();
  const inside = newRoot();
  const sandbox = '/mnt/sandbox';
  const linux: Partial<LinuxPlan> = {
    namespaces: ['mount', 'pid', 'uts'],
    root: inside,
    mounts: [...MACHINE, bind(path, sandbox)],
    workingDirectory: sandbox,
    hostname: 'inside',
  };
  const script = `pwd; ls /; ls -d /proc/[0-9]* | wc -l; echo x > /dev/null; echo y > written; hostname
    ls /dev; head -c 4 /dev/zero | wc -c; mkdir /sys/x 2> /dev/null || echo no; ls /proc/1/root/`;
  const lines = (await run(path, script, linux)).split('\n');
  const listed = ['bin', 'dev', 'lib', 'lib64', 'mnt', 'proc', 'sys', 'usr'];
  assert.deepEqual(lines.slice(0, 1 + listed.length), [sandbox, ...listed]);
  assert.ok(Number(lines[1 + listed.length]) <= 4);
  const devices = ['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty'];
  const after = lines.slice(2 + listed.length);
  assert.deepEqual(after.slice(0, -1), ['inside', ...devices, 'urandom', 'zero', '4', 'no', ...after.slice(-9, -1)]);
  assert.equal(read(`${path}/written`), 'y\n');
});

test('a root file system of its own has the devices of the plan, which other users can open', asRoot, async () => {
  const path = newDirectory();
  const devices = [
    { name: 'mine', major: 1, minor: 3 },
    { name: 'large', major: 4095, minor: 0xfffff },
  ];
  const linux: Partial<LinuxPlan> = {
    namespaces: ['mount'],
    root: newRoot(),
    mounts: MACHINE,
    devices,
    workingDirectory: '/',
  };
  const script = 'cd /dev; stat -c "%n %F %t %T %a" mine large; echo x >mine && echo written';
  const seen = await run(path, script, linux, { user: { uid: nobody, groups: [nobody] } });
  const numbers = ['mine character special file 1 3 666', 'large character special file fff fffff 666'];
  assert.equal(seen, `${[...numbers, 'written'].join('\n')}\n`);
});

test('CHILDREN-3: a program has exactly its capabilities, and gets no others by its file', asRoot, async () => {
  const path = newDirectory();
  chownSync(path, nobody, nobody);
  const script = "grep -E 'Cap(Eff|Bnd)|NoNewPrivs' /proc/self/status | cut -f 2 | tr '\\n' ' '";
  const capabilities = { effective: [0, 13], bounding: [0, 13] };
  const user = { uid: nobody, groups: [nobody] };
  const both = '0000000000002001 0000000000002001';
  const show = async (linux: Partial<LinuxPlan>, more: Partial<ChildRequest> = {}): Promise<string> => {
    rmSync(`${path}/stdout`, { force: true });
    rmSync(`${path}/stderr`, { force: true });
    return run(path, script, linux, more);
  };
  assert.equal(await show({ capabilities }), `${both} 0 `);
  assert.equal(await show({ capabilities, noNewPrivileges: true }), `${both} 1 `);
  assert.equal(await show({ capabilities }, { user }), `${both} 0 `);
  assert.match(await show({ capabilities: { effective: [], bounding: [13] } }, { user }), /^0{16} 0{12}2000 0 $/);
  // A capability that this process does not have.
  const missing = [24, 63].find((bit) => ((BigInt(`0x${capEff()}`) >> BigInt(bit)) & 1n) === 0n) ?? 63;
  const refused = await show({ capabilities: { effective: [missing], bounding: [missing] } }, { user });
  assert.match(refused, /^Failed to set its capabilities: /);
});

test(
  'a container without the capability for it makes no devices, mounts nothing and sees no memory of others',
  asRoot,
  async () => {
    const path = newDirectory();
    const linux: Partial<LinuxPlan> = {
      namespaces: ['mount', 'pid'],
      capabilities: { effective: [0, 1], bounding: [0, 1] },
      noNewPrivileges: true,
    };
    const script = `mknod device c 1 3 2> /dev/null || echo no device; mount -t tmpfs none /mnt 2> /dev/null || echo no mount
    cat /proc/1/environ 2> /dev/null | wc -c; nsenter -t 1 -m true 2> /dev/null || echo not entered`;
    assert.equal(await run(path, script, linux), 'no device\nno mount\n0\nnot entered\n');
  },
);

test('root in a root file system of its own changes nothing of the kernel, and reads no memory', asRoot, async () => {
  const path = newDirectory();
  const linux: Partial<LinuxPlan> = {
    namespaces: ['mount', 'pid'],
    root: newRoot(),
    mounts: MACHINE,
    workingDirectory: '/',
    capabilities: { effective: [0, 1], bounding: [0, 1] },
  };
  const script = `
    for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do [ -w $f ] && echo "$f can be written"; done
    cat /proc/sys/kernel/core_pattern > /dev/null && echo readable
    for f in /proc/kcore /proc/keys /proc/timer_list; do head -c 1 $f 2> /dev/null; done; ls /sys/firmware
    umount /proc/sys 2> /dev/null || echo no umount`;
  assert.equal(await run(path, script, linux), 'readable\nno umount\n');
});

test(
  'ISOLATION-1: a plan that lacks a namespace for what it asks is refused, so that nothing of it reaches the machine',
  asRoot,
  async () => {
    const before = readlinkSync('/proc/self/ns/uts');
    const name = read('/proc/sys/kernel/hostname');
    const path = newDirectory();
    const plans: readonly [Partial<LinuxPlan>, RegExp][] = [
      [{ namespaces: ['mount'], hostname: name.trim() }, /^hostname: expected with the namespace uts$/],
      [{ namespaces: ['ipc'], root: path }, /^root: expected with the namespace mount$/],
      [{ namespaces: [], mounts: [bind(path, path)] }, /^mounts: expected with the namespace mount$/],
      [{ namespaces: ['uts'], network: '/proc/self/ns/net' }, /^network: expected with the namespace mount$/],
    ];
    for (const [plan, expected] of plans) assert.match(await run(path, 'exit 0', plan), expected);
    assert.deepEqual([read('/proc/sys/kernel/hostname'), readlinkSync('/proc/self/ns/uts')], [name, before]);
  },
);

test('CHILDREN-7: a container sees nothing of this process while a process enters it', asRoot, async () => {
  const path = newDirectory();
  const linux: Partial<LinuxPlan> = {
    namespaces: ['mount', 'pid'],
    capabilities: { effective: [], bounding: [] },
    noNewPrivileges: true,
  };
  // The program, the memory and the root of a process that is still a part of this one.
  const steal = `while :; do for p in /proc/[0-9]*; do
    [ "$(cat $p/comm)" = "${read('/proc/self/comm').trim()}" ] && { echo seen; readlink $p/exe $p/root; head -c 1 $p/maps; }
    done; done 2> /dev/null`;
  const thief = children.start(requestIn(path, steal, linux));
  assert.ok(thief.ok, thief.ok ? '' : thief.error);
  const { pid } = thief.value;
  const startTicks = startTicksOf(pid);
  const program = `${path}/leased`;
  const endLease = makeLeasedProgram(program);
  const held = children.start({
    ...requestIn(path, '', linux, { enter: { pid, startTicks }, output: 'discarded' }),
    program,
  });
  assert.match(held.ok ? 'it was started' : held.error, /^the program was not started/);
  endLease();
  process.kill(pid, 'SIGKILL');
  await endOf(pid);
  assert.match(read(`${path}/stdout`), /^(seen\n)+$/);
});

test('ISOLATION-3: a working directory leads to no descriptor of this process', asRoot, async () => {
  const path = newDirectory();
  // More than this process has open.
  const descriptors = Array.from({ length: 40 }, (_, descriptor) => `/proc/self/fd/${descriptor}`);
  for (const workingDirectory of [...descriptors, '/proc/self/fd/3/..', '/link']) {
    const inside = newRoot();
    symlinkSync('/proc/self/fd/3', `${inside}/link`);
    const linux: Partial<LinuxPlan> = { namespaces: ['mount', 'pid'], root: inside, mounts: MACHINE, workingDirectory };
    assert.match(
      await run(path, 'pwd -P; ls', linux),
      /^Failed to enter the working directory|: link is a link to nothing$/,
      workingDirectory,
    );
  }
});
