// What a container is given of the machine, and what a process that enters it finds there. They need root.
import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
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
import { until } from './testing/until.js';

test(
  'ISOLATION-4: root in a root file system of its own has no file of the devices of the machine',
  asRoot,
  async () => {
    const path = newDirectory();
    const linux: Partial<LinuxPlan> = {
      namespaces: ['mount', 'pid'],
      root: newRoot(),
      mounts: [...MACHINE, bind(path, '/out')],
      workingDirectory: '/',
      capabilities: { effective: [], bounding: [] },
    };
    // Its owner may change the mode of a file without any capability.
    const script = `for f in /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/1/fd/0 /proc/1/fd/1 /proc/1/fd/2 /proc/keys /proc/timer_list
    do [ -e $f ] && echo "$(stat -L -c %d $f) $f" >> /out/files; done`;
    const { dev } = statSync('/dev/null');
    const ofMachine = (): readonly string[] =>
      read(`${path}/files`)
        .split('\n')
        .filter((line) => line.startsWith(`${dev} `));
    const first = children.start(requestIn(path, `${script}; exec sleep 1000`, linux));
    assert.ok(first.ok, first.ok ? '' : first.error);
    await until(
      'the files are listed',
      () => existsSync(`${path}/files`) && read(`${path}/files`).includes('timer_list'),
    );
    assert.deepEqual(ofMachine(), []);
    const startTicks = startTicksOf(first.value.pid);
    const enter = { pid: first.value.pid, startTicks };
    const beside = children.start(requestIn(path, script, linux, { enter, output: 'discarded' }));
    assert.ok(beside.ok, beside.ok ? '' : beside.error);
    assert.deepEqual(await endOf(beside.value.pid), { kind: 'exited', code: 0 });
    assert.deepEqual(ofMachine(), []);
    process.kill(first.value.pid, 'SIGKILL');
    await endOf(first.value.pid);
  },
);

test(
  'ISOLATION-4: what a container puts in the place of its /dev/null is opened with the rights of its user',
  asRoot,
  async () => {
    const path = newDirectory();
    chownSync(path, nobody, nobody);
    const inside = newRoot();
    writeFileSync(`${inside}/file`, 'of root\n');
    const linux: Partial<LinuxPlan> = {
      namespaces: ['mount', 'pid'],
      root: inside,
      mounts: [...MACHINE, bind(path, '/out')],
      workingDirectory: '/',
    };
    const more: Partial<ChildRequest> = { user: { uid: nobody, groups: [nobody] }, output: 'discarded' };
    const script = `exec unshare -Urm sh -c 'mount --bind /file /dev/null && echo > /out/ready; exec sleep 1000'`;
    const first = children.start(requestIn(path, script, linux, more));
    assert.ok(first.ok, first.ok ? '' : first.error);
    const { pid } = first.value;
    await until('the file is there', () => existsSync(`${path}/ready`));
    const enter = { pid, startTicks: startTicksOf(pid) };
    const beside = children.start(requestIn(path, 'echo changed', linux, { ...more, enter }));
    if (beside.ok) await endOf(beside.value.pid);
    process.kill(pid, 'SIGKILL');
    await endOf(pid);
    assert.equal(read(`${inside}/file`), 'of root\n');
    assert.equal(beside.ok ? '' : beside.error, 'Failed to open /dev/null: Permission denied');
  },
);

test(
  'a mount of the parent container is found although a link that only root can replace leads to its sandbox',
  asRoot,
  async () => {
    const [sandbox, source, path] = [newDirectory(), newDirectory(), newDirectory()];
    const link = `${root}/link-to-sandbox`;
    symlinkSync(sandbox, link);
    for (const directory of [`${sandbox}/data`, `${path}/shown`]) mkdirSync(directory);
    writeFileSync(`${source}/file`, 'of the machine\n');
    const linux: Partial<LinuxPlan> = { namespaces: ['mount', 'pid'], mounts: [bind(source, `${sandbox}/data`)] };
    const first = children.start(requestIn(sandbox, 'exec sleep 1000', linux));
    assert.ok(first.ok, first.ok ? '' : first.error);
    const { pid } = first.value;
    const parent = { pid, startTicks: startTicksOf(pid) };
    const mount: LinuxMount = {
      kind: 'bind',
      source: { root: link, names: ['data'] },
      inParent: `${link}/data`,
      target: `${path}/shown`,
      isReadOnly: false,
    };
    const seen = await run(path, 'cat shown/file', { namespaces: ['mount'], mounts: [mount] }, { parent });
    process.kill(pid, 'SIGKILL');
    await endOf(pid);
    assert.equal(seen, 'of the machine\n');
  },
);
