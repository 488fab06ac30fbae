// On the kernel of this machine, which must let this process make cgroups.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, test } from 'node:test';
import { err, type Files } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import { until } from '@meseta/platform/testing/until';
import { readCgroupLayout } from './host.js';
import type { CgroupLayout } from './layout.js';
import { createProcessCgroups, type ProcessCgroups } from './process-cgroups.js';

const files = createFiles();
const processes = createProcesses();
const layout = readCgroupLayout(files, '/sys/fs/cgroup');
const rootName = `meseta-test-${process.pid}`;
const TIMEOUT_MS = 5000;

const freezerOnly: CgroupLayout = { ...layout, unified: undefined };
const withoutKill: Files = {
  ...files,
  stat: async (path) =>
    path.endsWith('/cgroup.kill') ? err({ code: 'ENOENT', message: 'not in this kernel' }) : files.stat(path),
};
/** Each way of killing, and why this machine can't show it. */
const ways = [
  { way: 'cgroup.kill', layout, files, present: layout.unified !== undefined },
  { way: 'the freezer of version 2', layout, files: withoutKill, present: layout.unified !== undefined },
  { way: 'the freezer of version 1', layout: freezerOnly, files, present: layout.controllers.has('freezer') },
].map((each) => ({ ...each, skip: process.getuid?.() !== 0 ? 'needs root' : !each.present && 'is not mounted' }));

const roots = ways.flatMap(({ layout: { unified, controllers } }) => {
  const { mountPoint } = unified ?? controllers.get('freezer') ?? {};
  return mountPoint === undefined ? [] : [`${mountPoint}/${rootName}`];
});
after(async () => {
  // Also when a test has failed.
  for (const way of ways.filter(({ skip }) => skip === false)) {
    const cgroups = await open(way);
    for (const id of containersIn(cgroups)) {
      await cgroups.kill(id, TIMEOUT_MS);
      await cgroups.remove(id);
    }
  }
  for (const root of new Set(roots)) if (existsSync(root)) rmdirSync(root);
});

/** The containers that have a cgroup. */
const containersIn = (cgroups: ProcessCgroups): readonly string[] =>
  readdirSync(dirname(cgroups.directoryOf('any')), { withFileTypes: true }).flatMap((it) =>
    it.isDirectory() ? [it.name] : [],
  );

async function open(way: (typeof ways)[number]): Promise<ProcessCgroups> {
  const made = await createProcessCgroups({ files: way.files, processes }, way.layout, rootName);
  assert.ok(made.ok, made.ok ? '' : made.error);
  return made.value;
}

/** Runs a script in the cgroup. */
async function runIn(directory: string, script: string): Promise<ChildProcess> {
  const join = `echo 0 > ${directory}/cgroup.procs || exit; echo joined; `;
  const child = spawn('/bin/sh', ['-c', join + script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

const isAlive = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

for (const way of ways) {
  const { skip } = way;
  test(`PROCESS-CGROUPS-1: ${way.way} ends every process, also those that fork, stop and nest their cgroups`, {
    skip,
  }, async () => {
    const cgroups = await open(way);
    assert.deepEqual(await cgroups.create('hostile'), { ok: true, value: undefined });
    const directory = cgroups.directoryOf('hostile');
    mkdirSync(`${directory}/inner`);
    mkdirSync(`${directory}/inner/most`);
    const script = `setsid sleep 600 & sleep 600 & kill -STOP $!
      (echo 0 > ${directory}/inner/most/cgroup.procs; exec sleep 600) &
      trap '' TERM INT HUP; while :; do (sleep 0.01 &) ; done`;
    const first = await runIn(directory, script);
    await until('several processes', async () => (await cgroups.processes('hostile')).length > 4);
    const members = await cgroups.processes('hostile');
    assert.ok(members.includes(first.pid ?? 0));
    const ended = once(first, 'exit');
    assert.deepEqual(await cgroups.kill('hostile', TIMEOUT_MS), { ok: true, value: undefined });
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.deepEqual(await cgroups.processes('hostile'), []);
    for (const pid of members) assert.equal(isAlive(pid), false, `process ${pid}`);
    assert.deepEqual(containersIn(cgroups), ['hostile']);
    assert.deepEqual(await cgroups.remove('hostile'), { ok: true, value: undefined });
    assert.deepEqual(containersIn(cgroups), []);
  });

  test(`PROCESS-CGROUPS-2: with ${way.way} calls may be repeated, and made without a cgroup`, { skip }, async () => {
    const cgroups = await open(way);
    assert.deepEqual(await cgroups.processes('none'), []);
    assert.ok((await cgroups.kill('none', TIMEOUT_MS)).ok);
    assert.ok((await cgroups.remove('none')).ok);
    for (let i = 0; i < 2; i++) assert.ok((await cgroups.create('twice')).ok);
    for (let i = 0; i < 2; i++) assert.ok((await cgroups.kill('twice', TIMEOUT_MS)).ok);
    for (let i = 0; i < 2; i++) assert.ok((await cgroups.remove('twice')).ok);
  });
}

test('a cgroup with processes is not removed, and a kill of processes that do not end says so', {
  skip: ways[0]?.skip,
}, async () => {
  const cgroups = await open(ways[0] as (typeof ways)[number]);
  await cgroups.create('busy');
  const child = await runIn(cgroups.directoryOf('busy'), 'exec sleep 600');
  const removed = await cgroups.remove('busy');
  assert.equal(removed.ok ? '' : removed.error.code, 'EBUSY');
  const killed = await cgroups.kill('busy', -1);
  assert.ok(killed.ok || /processes have not ended/.test(killed.error));
  assert.ok((await cgroups.kill('busy', TIMEOUT_MS)).ok);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.ok((await cgroups.remove('busy')).ok);
});

test('without a hierarchy that it may write to, there are no cgroups of processes', async () => {
  const none = { controllers: new Map(), unified: undefined };
  const made = await createProcessCgroups({ files, processes }, none, rootName);
  assert.match(made.ok ? '' : made.error, /neither the cgroup2 hierarchy nor the freezer/);
  const readOnly = { ...none, unified: { version: 2, mountPoint: '/sys/fs/cgroup', isWritable: false } as const };
  const refused = await createProcessCgroups({ files, processes }, readOnly, rootName);
  assert.match(refused.ok ? '' : refused.error, /mounted read-only/);
});
