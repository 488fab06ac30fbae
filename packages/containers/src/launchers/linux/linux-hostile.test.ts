// Attacks of tasks on the linux launcher, on this machine: tasks that try to leave their container, and that try not to end.
// It needs root and cgroups.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { cgroupsOptions, testCgroup } from '../../testing/isolation.js';
import {
  events,
  next,
  nextEvent,
  output,
  path,
  root,
  spec,
  start as startContainerizer,
  untilFile,
} from '../../testing/launcher.js';
import type { ContainerSpec } from '../../types.js';

const NOBODY = 65534;
const UNIFIED = '/sys/fs/cgroup/unified';
const asRoot = {
  skip: process.getuid?.() !== 0 ? 'needs root' : !existsSync(`${UNIFIED}/cgroup.procs`) && 'needs hybrid cgroups',
};
const own = `${UNIFIED}/${testCgroup}`;
const containersLeft = (): readonly string[] =>
  existsSync(own) ? readdirSync(own, { withFileTypes: true }).flatMap((it) => (it.isDirectory() ? [it.name] : [])) : [];
after(() => assert.deepEqual(containersLeft(), []));

const start = (names: string) =>
  startContainerizer({
    launcher: 'linux',
    isolation: { names, cgroups: { ...cgroupsOptions, root: testCgroup, pidsLimit: 100 } },
  });

function hostile(id: string, user: 'nobody' | 'root', value: string, more: Partial<ContainerSpec> = {}): ContainerSpec {
  chmodSync(root, 0o755);
  const environment = { PATH: path, RUN: `${root}/run`, CGROUP: `${own}/${id}` };
  const it = spec(id, { value }, { ...(user === 'root' ? {} : { user }), environment, ...more });
  if (user === 'nobody') chownSync(it.sandbox, NOBODY, NOBODY);
  return it;
}

/** What may not succeed. Each prints what it has reached. */
const ESCAPES = `
  for cgroup in /sys/fs/cgroup /sys/fs/cgroup/*; do
    echo 0 > $cgroup/cgroup.procs && echo "left its cgroup of $cgroup"
    for below in $(cut -d : -f 3 /proc/self/cgroup); do mkdir $cgroup$below/x && echo "made a cgroup in $cgroup$below"; done
    echo /bin/true > $cgroup/release_agent && echo "set the release agent of $cgroup"
  done
  [ -n "$(find /sys/fs/cgroup -type f -writable | head -1)" ] && echo 'found a file of cgroups that it can write'
  ls -A $RUN/containers && echo 'listed the runtime directory'
  mknod device b 254 0 && echo 'made a device'
  umount /proc && echo 'unmounted /proc'
  mkdir m && unshare --user --map-root-user --mount sh -c '
    for type in "cgroup -o memory" cgroup2 proc; do mount -t $type none m && echo "mounted $type"; done
    umount /proc && echo "unmounted /proc in a user namespace"'
  for pid in $(ls /proc | grep '^[0-9]'); do
    [ "$(stat -c %u /proc/$pid)" = 0 ] || continue
    for file in environ maps; do [ -n "$(head -c 1 /proc/$pid/$file)" ] && echo "read $file of process $pid"; done
    ls /proc/$pid/fd && echo "listed the files of process $pid"
    readlink /proc/$pid/root && echo "saw the root of process $pid"
    kill -0 $pid && echo "can signal process $pid"
  done
  [ $(ls /proc/self/fd | wc -l) = 4 ] || ls -l /proc/self/fd
  for file in core_pattern modprobe hotplug; do [ -w /proc/sys/kernel/$file ] && echo "can write $file"; done
  true`;

test('a task of a user reaches nothing of the machine, of cgroups and of the agent', asRoot, async () => {
  for (const names of ['posix/cpu', 'filesystem/linux,namespaces/pid,namespaces/ipc,cgroups/pids,linux/nnp']) {
    const id = `escapes-${names.length}`;
    const containers = await start(names);
    const it = hostile(id, 'nobody', `{ ${ESCAPES}\n} 2> /dev/null`);
    containers.launch(it);
    await next('exited', it.containerId);
    assert.equal(output(it), '', names);
  }
});

const PRIVATE = 'filesystem/linux,namespaces/pid,cgroups/pids';
const endless: readonly (readonly [what: string, user: 'nobody' | 'root', names: string, script: string])[] = [
  ['forks without end', 'nobody', PRIVATE, 'f() { f & f & }; echo up > up; while :; do f; sleep 0; done 2> /dev/null'],
  [
    'starts sessions that ignore signals',
    'nobody',
    'cgroups/pids',
    'trap "" TERM INT HUP; echo up > up; while :; do setsid sleep 1000 & sleep 0.01; done 2> /dev/null',
  ],
  ['stops itself', 'nobody', PRIVATE, 'setsid sleep 1000 & kill -STOP $!; echo up > up; kill -STOP $$'],
  [
    'freezes itself in cgroups of its own',
    'root',
    PRIVATE,
    'd=$CGROUP; for i in 1 2 3 4 5 6 7 8; do d=$d/x; mkdir $d; sleep 1000 & echo $! > $d/cgroup.procs; done; echo up > up; echo 1 > $CGROUP/cgroup.freeze; sleep 1000',
  ],
  ['makes pid namespaces', 'root', PRIVATE, 'unshare -pf unshare -pf sh -c "echo up > up; sleep 1000"'],
  [
    'takes the first process of its namespace out of its cgroup',
    'root',
    PRIVATE,
    `for p in 1 $$; do echo $p > ${UNIFIED}/cgroup.procs; done; setsid sleep 1000 & echo up > up; sleep 1000`,
  ],
];

for (const [index, [what, user, names, script]] of endless.entries()) {
  test(`a container is destroyed also when its task ${what}`, asRoot, async () => {
    const containers = await start(names);
    const it = hostile(`endless-${index}`, user, script);
    containers.launch(it);
    await next('started', it.containerId);
    await untilFile(`${it.sandbox}/up`);
    containers.destroy(it.containerId);
    assert.deepEqual((await next('exited', it.containerId)).status, { kind: 'signaled', signal: 9 });
    assert.deepEqual(containersLeft(), []);
  });
}

test(
  'ISOLATION-2: links that replace a part of the path of a volume while it is mounted lead nowhere',
  asRoot,
  async () => {
    const containers = await start('filesystem/linux,volume/host_path');
    mkdirSync(`${root}/host`);
    const host_path = { path: `${root}/host` };
    const volumes = [{ container_path: 'a/b/shared', mode: 'RW', source: { type: 'HOST_PATH', host_path } } as const];
    const swap = 'while :; do mv a moved; ln -s / a; rm a; mv moved a; mkdir a; done 2> /dev/null';
    for (let round = 0; round < 10; round++) {
      // Where the volume is mounted, without the sandbox.
      const script = `grep -F '${root}/host' /proc/self/mountinfo | cut -d ' ' -f 5 | grep -vF "$(pwd | sed 's/ /\\\\040/g')/"`;
      const it = hostile(`swapped-${round}`, 'nobody', script, { container: { type: 'MESOS', volumes } });
      const attacker = spawn('/bin/sh', ['-c', swap], { cwd: it.sandbox, uid: NOBODY, gid: NOBODY, stdio: 'ignore' });
      containers.launch(it);
      let end: (typeof events)[number] | undefined;
      for (;;) {
        end = events.find(({ containerId, kind }) => containerId === it.containerId && kind !== 'started');
        if (end !== undefined) break;
        await nextEvent();
      }
      attacker.kill('SIGKILL');
      if (end.kind === 'launchFailed') assert.match(end.message, /^(volume |Failed to mount |Failed to enter )/);
      else assert.equal(output(it), '');
    }
  },
);

test(
  'mounts that root makes in a container reach neither the machine nor a volume that is shared there',
  asRoot,
  async () => {
    const host = `${root}/host`;
    mkdirSync(host);
    execFileSync('mount', ['-t', 'tmpfs', 'none', host]);
    try {
      execFileSync('mount', ['--make-shared', host]);
      mkdirSync(`${host}/below`);
      const containers = await start('filesystem/linux,volume/host_path,namespaces/pid');
      const volumes = [
        { container_path: 'v', mode: 'RW', source: { type: 'HOST_PATH', host_path: { path: host } } } as const,
      ];
      const script = `mount --make-rshared v && mount -t tmpfs none v/below && touch v/below/file
      mount --make-rshared / ; mkdir own && mount -t tmpfs none own && touch own/file; ls v/below own > done; sleep 1000`;
      const it = hostile('mounts', 'root', script, { container: { type: 'MESOS', volumes } });
      containers.launch(it);
      await untilFile(`${it.sandbox}/done`);
      assert.equal(readFileSync(`${it.sandbox}/done`, 'utf8'), 'own:\nfile\n\nv/below:\nfile\n');
      assert.deepEqual([readdirSync(`${host}/below`), readdirSync(`${it.sandbox}/own`)], [[], []]);
      containers.destroy(it.containerId);
      await next('exited', it.containerId);
    } finally {
      execFileSync('umount', [host]);
    }
  },
);
