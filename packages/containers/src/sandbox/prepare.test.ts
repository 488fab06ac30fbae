import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { type ContainerId, ok } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createConcurrencyLimit } from '../concurrency.js';
import type { VolumeLink } from '../isolators/isolator.js';
import { owner, planContext, spec } from '../testing/plans.js';
import type { DirectoryBelow } from '../types.js';
import { createPreparation } from './prepare.js';
import { createRemovals, removeSandbox } from './removal.js';
import { changeVolume } from './volumes.js';

const files = createFiles();
const nobody = { ...owner, uid: 65534, gid: 65534 };
const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user' };
let root = '';
let problems: string[] = [];

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-sandboxes-`);
  chmodSync(root, 0o755);
  problems = [];
  mkdirSync(`${root}/victim`, { mode: 0o700 });
  writeFileSync(`${root}/victim/secret`, 'secret', { mode: 0o600 });
});
afterEach(() => {
  // No test may change the directory of root.
  assert.deepEqual(readdirSync(`${root}/victim`), ['secret']);
  assert.deepEqual(
    [statSync(`${root}/victim`).uid, statSync(`${root}/victim/secret`).uid],
    [process.getuid?.(), process.getuid?.()],
  );
  rmSync(root, { recursive: true, force: true });
});

const sandboxOf = (id: string): string => `${root}/slaves/S0/frameworks/F/executors/e/runs/${id}`;

/** Prepares a sandbox for the user nobody. Returns why that failed. */
async function prepare(
  sandbox: string,
  links: readonly VolumeLink[] = [],
  pod?: { readonly sandbox: string; readonly taskId: string },
): Promise<string | undefined> {
  const isolator = { name: 'links', supports: () => ok(undefined), plan: () => ok({ links }) };
  const outer = pod && {
    containerId: 'pod' as ContainerId,
    sandbox: pod.sandbox,
    volumes: [],
    pod: { taskId: pod.taskId, container: undefined, resources: [] },
  };
  const preparation = createPreparation({
    files,
    removals: createRemovals(),
    resolveOwner: async () => ok(nobody),
    context: { ...planContext, isolators: [isolator] },
  });
  const prepared = await preparation.prepare({ ...spec, sandbox, user: 'nobody', outer }, new AbortController().signal);
  return prepared.ok ? undefined : prepared.error;
}

const remove = (path: string) =>
  removeSandbox({ files, workDir: root, limitRemovals: createConcurrencyLimit(1) }, path);

async function change(place: DirectoryBelow, remove: boolean, isShared = false): Promise<void> {
  const problem = await changeVolume(files, { place, remove, isShared });
  if (problem !== undefined) problems.push(problem);
}

const persistent = (containerPath: string, id = 'v'): VolumeLink => ({
  containerPath,
  place: { root, names: ['volumes', 'roles', 'r', id] },
  isPersistent: true,
});
const shared = (containerPath: string, from: string, ...names: string[]): VolumeLink => ({
  containerPath,
  place: { root: from, names },
  isPersistent: false,
});
const ownerOf = (path: string): number => lstatSync(path).uid;

test(
  'a sandbox belongs to its user and has links to its volumes; `latest` links to the newest run',
  asRoot,
  async () => {
    const sandbox = sandboxOf('one');
    assert.equal(await prepare(sandbox, [persistent('data'), persistent('deep/er/data', 'w')]), undefined);
    assert.deepEqual([ownerOf(sandbox), statSync(sandbox).mode & 0o777], [nobody.uid, 0o750]);
    assert.equal(readlinkSync(`${sandbox}/../latest`), sandbox);
    assert.equal(readlinkSync(`${sandbox}/data`), `${root}/volumes/roles/r/v`);
    assert.equal(readlinkSync(`${sandbox}/deep/er/data`), `${root}/volumes/roles/r/w`);
    assert.deepEqual([ownerOf(`${sandbox}/deep/er`), ownerOf(`${root}/volumes/roles/r/v`)], [nobody.uid, nobody.uid]);
    assert.deepEqual([ownerOf(`${root}/volumes/roles/r`), ownerOf(`${root}/volumes`)], [0, 0]);
    await prepare(sandboxOf('two'));
    assert.equal(readlinkSync(`${sandbox}/../latest`), sandboxOf('two'));
  },
);

const wrongPaths: readonly [containerPath: string, volumeId: string, RegExp][] = [
  ['../x', 'v', /volume \.\.\/x: .*"\.\." can't be a name/],
  ['a/../../x', 'v', /"\.\." can't be a name/],
  ['/etc/x', 'v', /volume \/etc\/x: expected a path inside the sandbox/],
  ['.', 'v', /expected a path inside the sandbox/],
  ['data', '..', /volume data: .*"\.\." can't be a name/],
  ['data', 'a/b', /"a\/b" can't be a name/],
];

test('a path that leads out of a sandbox or a volume fails the launch', asRoot, async () => {
  for (const [index, [containerPath, id, expected]] of wrongPaths.entries()) {
    const problem = await prepare(sandboxOf(`s${index}`), [persistent(containerPath, id)]);
    assert.match(problem ?? '', expected, `${containerPath} ${id}`);
  }
});

test(
  "a directory of a pod is linked into its tasks' sandboxes; a link in its place is not followed",
  asRoot,
  async () => {
    const pod = sandboxOf('pod');
    const podTask = { sandbox: pod, taskId: 't' };
    const volumes = [shared('mine', pod, 'data', 'inner')];
    assert.equal(await prepare(`${pod}/containers/one`, volumes, podTask), undefined);
    assert.deepEqual(
      [ownerOf(pod), ownerOf(`${pod}/containers`), ownerOf(`${pod}/data/inner`)],
      [nobody.uid, 0, nobody.uid],
    );
    assert.equal(readlinkSync(`${pod}/tasks/t`), `${pod}/containers/one`);
    assert.equal(readlinkSync(`${pod}/containers/one/mine`), `${pod}/data/inner`);
    assert.equal(readFileSync(`${pod}/stdout`, 'utf8'), '');
    // The pod's user replaces the directory.
    rmSync(`${pod}/data`, { recursive: true });
    symlinkSync(`${root}/victim`, `${pod}/data`);
    assert.match(
      (await prepare(`${pod}/containers/two`, volumes, podTask)) ?? '',
      /volume mine: .*pod\/data: is not a directory/,
    );
    const others = [shared('mine', pod, 'data')];
    assert.match((await prepare(`${pod}/containers/three`, others, podTask)) ?? '', /pod\/data: is not a directory/);
    mkdirSync(`${pod}/of-root`, { mode: 0o700 });
    assert.equal(await prepare(`${pod}/containers/four`, [shared('mine', pod, 'of-root')], podTask), undefined);
    assert.equal(ownerOf(`${pod}/of-root`), 0, 'an existing directory is given to no user');
  },
);

test('pod tasks that are launched at the same time share one complete sandbox of the pod', asRoot, async () => {
  for (let tries = 0; tries < 20; tries++) {
    const pod = sandboxOf(`pod${tries}`);
    const ids = ['one', 'two', 'three'];
    const launches = ids.map((id) => prepare(`${pod}/containers/${id}`, [], { sandbox: pod, taskId: id }));
    assert.deepEqual(await Promise.all(launches), [undefined, undefined, undefined]);
    assert.deepEqual(readdirSync(`${pod}/tasks`).sort(), [...ids].sort());
    assert.equal(ownerOf(pod), nobody.uid);
  }
});

test('links in the place of directories that the agent makes in a pod are not followed', asRoot, async () => {
  const pod = sandboxOf('pod');
  const podTask = { sandbox: pod, taskId: 't' };
  assert.equal(await prepare(`${pod}/containers/one`, [], podTask), undefined);
  for (const name of ['tasks', 'containers']) {
    renameSync(`${pod}/${name}`, `${pod}/${name}-away`);
    symlinkSync(`${root}/victim`, `${pod}/${name}`);
  }
  assert.match((await prepare(`${pod}/containers/two`, [], podTask)) ?? '', /pod\/containers: is not a directory/);
  const removed = await remove(`${pod}/containers/one`);
  assert.match(removed.ok ? '' : removed.error.message, /pod\/containers: is not a directory/);
});

test('a persistent volume is made and removed; the targets of its links stay', asRoot, async () => {
  const place = { root, names: ['volumes', 'roles', 'r', 'v'] };
  await change(place, false);
  const path = `${root}/volumes/roles/r/v`;
  assert.equal(statSync(path).mode & 0o777, 0o750);
  chownSync(path, nobody.uid, nobody.gid);
  mkdirSync(`${path}/inner`);
  symlinkSync(`${root}/victim`, `${path}/link`);
  symlinkSync(`${root}/victim`, `${path}/inner/link`);
  await change(place, true);
  assert.equal(existsSync(path), false);
  await change(place, true);
  assert.deepEqual(problems, []);
  await change({ ...place, names: ['volumes', 'roles', 'r', '..'] }, true);
  await change({ ...place, names: ['..', 'victim'] }, true);
  assert.equal(problems.length, 2);
  assert.ok(existsSync(`${root}/volumes/roles/r`));
  await change({ root, names: ['volumes', 'roles', 'r', 's'] }, false, true);
  assert.equal(statSync(`${root}/volumes/roles/r/s`).mode & 0o777, 0o755);
});

test('the root of a mounted disk is emptied, and stays, when its volume is removed', async () => {
  mkdirSync(`${root}/disk/inner`, { recursive: true });
  symlinkSync(`${root}/victim`, `${root}/disk/inner/link`);
  await change({ root: `${root}/disk`, names: [] }, true);
  assert.deepEqual(readdirSync(`${root}/disk`), []);
  assert.deepEqual(problems, []);
});

test('a sandbox is removed with the empty directories above it; the targets of its links stay', asRoot, async () => {
  const [one, two] = [sandboxOf('one'), sandboxOf('two')];
  for (const path of [one, two]) assert.equal(await prepare(path), undefined);
  symlinkSync(`${root}/victim`, `${one}/link`);
  assert.deepEqual(await remove(one), { ok: true, value: undefined });
  assert.equal(readlinkSync(`${two}/../latest`), two);
  assert.deepEqual(await remove(one), { ok: true, value: undefined });
  assert.deepEqual(await remove(two), { ok: true, value: undefined });
  assert.equal(existsSync(`${root}/slaves`), false);
});

test('TREES-3: a sandbox that takes long to remove does not delay the removal of others', async () => {
  for (const id of ['large', 'small']) mkdirSync(sandboxOf(id), { recursive: true });
  for (let number = 0; number < 200; number++) {
    mkdirSync(`${sandboxOf('large')}/${number}`);
    for (let file = 0; file < 60; file++) writeFileSync(`${sandboxOf('large')}/${number}/${file}`, '');
  }
  const ended: string[] = [];
  const ports = { files, workDir: root, limitRemovals: createConcurrencyLimit(1) };
  const removals = ['large', 'small'].map(async (id) => {
    assert.deepEqual(await removeSandbox(ports, sandboxOf(id)), { ok: true, value: undefined });
    ended.push(id);
  });
  await Promise.all(removals);
  assert.deepEqual(ended, ['small', 'large']);
  assert.equal(existsSync(`${root}/slaves`), false);
});

for (const [name, launchedAt] of [
  ['under the id of a container that is being removed', ''],
  ['in a container that is being removed', '/containers/inner'],
] as const) {
  test(`REMOVAL-1: a launch ${name} waits for the removal`, async () => {
    const sandbox = `${root}/containers/c`;
    mkdirSync(`${sandbox}/old`, { recursive: true });
    writeFileSync(`${sandbox}/old/file`, '');
    let allowRemoval = (): void => {};
    const mayRemove = new Promise<void>((resolve) => {
      allowRemoval = resolve;
    });
    const removals = createRemovals();
    let isPreparing = false;
    const preparation = createPreparation({
      files,
      removals,
      resolveOwner: async () => {
        isPreparing = true;
        return ok(undefined);
      },
      context: planContext,
    });
    const ports = {
      files,
      workDir: root,
      limitRemovals: async <T>(work: () => Promise<T>): Promise<T> => {
        await mayRemove;
        return work();
      },
    };
    removals.add(sandbox, removeSandbox(ports, sandbox));
    const prepared = preparation.prepare({ ...spec, sandbox: sandbox + launchedAt }, new AbortController().signal);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isPreparing, false);
    allowRemoval();
    // The sandbox around a nested container is removed, so the launch fails.
    assert.equal((await prepared).ok, launchedAt === '');
    assert.equal(existsSync(`${sandbox}/old`), false);
    assert.equal(existsSync(sandbox), launchedAt === '');
  });
}
