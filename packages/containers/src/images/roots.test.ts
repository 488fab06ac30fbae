// With real mounts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type ContainerId, err, ok } from '@meseta/base';
import { createProcesses } from '@meseta/platform/processes';
import { createMounts } from './mounts.js';
import { type Backend, openRoots, type Roots } from './roots.js';
import { files, helper, scratchDirectory } from './testing/store.js';

const asRoot = process.getuid?.() === 0 ? {} : { skip: 'mounts need root' };
const id = (text: string): ContainerId => text as ContainerId;
const mounts = createMounts(files, createProcesses());
const use = { keepsPrivileges: true, signal: new AbortController().signal };

interface Place {
  readonly around: string;
  readonly directory: string;
  readonly layers: readonly string[];
}

/** Two layers. A test that fails leaves no mount either. */
function place(t: TestContext): Place {
  const around = scratchDirectory(t);
  const layers = ['low', 'high'].map((name) => {
    const layer = join(around, name);
    fs.mkdirSync(layer);
    fs.writeFileSync(join(layer, name), name);
    fs.writeFileSync(join(layer, 'both'), name);
    return layer;
  });
  return { around, directory: join(around, 'roots, here'), layers };
}

async function open(directory: string, backend?: Backend): Promise<Roots> {
  const limits = { maxBytes: 2 ** 20, maxEntries: 1000 };
  const opened = await openRoots({ directory, backend, files, mounts, helper, limits });
  assert.ok(opened.ok, opened.ok ? '' : opened.error);
  return opened.value;
}

for (const backend of ['overlay', 'copy'] as const) {
  describe(`roots of the backend ${backend}`, asRoot, () => {
    it('ROOT-3: the upper layer hides the lower one, and neither changes', async (t) => {
      const { directory, layers } = place(t);
      const roots = await open(directory, backend);
      const made = await roots.make(id('c'), layers, use);
      assert.ok(made.ok, made.ok ? '' : made.error);
      assert.deepEqual(fs.readdirSync(made.value).sort(), ['both', 'high', 'low']);
      assert.equal(fs.readFileSync(join(made.value, 'both'), 'utf8'), 'high');
      fs.writeFileSync(join(made.value, 'both'), 'changed');
      fs.rmSync(join(made.value, 'low'));
      const other = await roots.make(id('d'), layers, use);
      assert.equal(other.ok && fs.readFileSync(join(other.value, 'both'), 'utf8'), 'high');
      assert.ok(other.ok && fs.existsSync(join(other.value, 'low')));
      for (const container of ['c', 'd'])
        assert.deepEqual(await roots.remove(id(container)), { ok: true, value: undefined });
      assert.deepEqual([fs.readdirSync(directory), mounts.below(directory)], [[], []]);
      assert.equal(fs.readFileSync(join(layers[1] ?? '', 'both'), 'utf8'), 'high');
    });

    it('ROOT-2: a container has several roots, all of which are removed; removing again is no error', async (t) => {
      const { directory, layers } = place(t);
      const roots = await open(directory, backend);
      const made = [await roots.make(id('c'), layers, use), await roots.make(id('c'), layers.slice(0, 1), use)];
      assert.ok(made.every(({ ok }) => ok));
      for (let times = 0; times < 2; times++) assert.ok((await roots.remove(id('c'))).ok);
      assert.deepEqual([fs.readdirSync(directory), mounts.below(directory)], [[], []]);
    });

    it('ROOT-2: a directory that is reached by a link, as a work directory may be', async (t) => {
      const { around, layers } = place(t);
      fs.mkdirSync(join(around, 'disk'));
      fs.symlinkSync(join(around, 'disk'), join(around, 'work'));
      const roots = await open(join(around, 'work', 'roots'), backend);
      assert.ok((await roots.make(id('c'), layers, use)).ok);
      assert.deepEqual(await roots.remove(id('c')), { ok: true, value: undefined });
      assert.deepEqual([fs.readdirSync(join(around, 'disk', 'roots')), mounts.below(around)], [[], []]);
    });

    it('ROOT-1, ROOT-2: at the recovery, roots of containers that do not run are removed, and others stay', async (t) => {
      const { directory, layers } = place(t);
      const before = await open(directory, backend);
      const made = await Promise.all(['c', 'd'].map((it) => before.make(id(it), layers, use)));
      const roots = await open(directory, backend);
      const { used, problems } = await roots.recover(new Set([id('d')]));
      assert.deepEqual([[...used], problems], [[['d', layers]], []]);
      assert.deepEqual(fs.readdirSync(directory), ['d']);
      assert.ok(made[1]?.ok && fs.existsSync(join(made[1].value, 'low')));
      const again = await roots.make(id('d'), layers, use);
      assert.ok(again.ok && made[1].ok && again.value !== made[1].value);
      assert.ok((await roots.remove(id('d'))).ok);
      assert.deepEqual(mounts.below(directory), []);
    });

    it('an image with 127 layers, one of them twice', async (t) => {
      const { around, directory, layers } = place(t);
      const many = Array.from({ length: 126 }, (_, at) => {
        const layer = join(around, `${'n'.repeat(150)}${at}`);
        fs.mkdirSync(layer);
        fs.writeFileSync(join(layer, `f${at}`), '');
        return layer;
      });
      const roots = await open(directory, backend);
      const made = await roots.make(id('c'), [layers[0] ?? '', ...many.slice(0, 125), layers[0] ?? ''], use);
      assert.ok(made.ok, made.ok ? '' : made.error);
      assert.equal(fs.readdirSync(made.value).length, 127);
      assert.ok((await roots.remove(id('c'))).ok);
    });
  });
}

describe('roots that are in use', asRoot, () => {
  it('ROOT-2: a root that can not be removed keeps neither others nor the layers of running containers from being found', async (t) => {
    const { directory, layers } = place(t);
    const before = await open(directory, 'copy');
    for (const container of ['a', 'stuck', 'z', 'alive']) assert.ok((await before.make(id(container), layers, use)).ok);
    const stuck = `${directory}/stuck`;
    const unremovable = {
      ...mounts,
      unmountAll: async (path: string) => (path === stuck ? err('busy') : ok(undefined)),
    };
    const limits = { maxBytes: 2 ** 20, maxEntries: 1000 };
    const roots = await openRoots({ directory, backend: 'copy', files, mounts: unremovable, helper, limits });
    assert.ok(roots.ok);
    const { used, problems } = await roots.value.recover(new Set([id('alive')]));
    assert.deepEqual([...used], [['alive', layers]]);
    assert.deepEqual(problems, ['stuck: busy']);
    assert.deepEqual(fs.readdirSync(directory).sort(), ['alive', 'stuck']);
  });

  it('ROOT-4: setuid bits have an effect only where they are wanted', async (t) => {
    const { directory, layers } = place(t);
    const roots = await open(directory, 'overlay');
    for (const keepsPrivileges of [true, false]) {
      const made = await roots.make(id('c'), layers, { ...use, keepsPrivileges });
      assert.ok(made.ok);
      const [line = ''] = fs
        .readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((it) => it.includes(`here/c/`));
      assert.equal(line.includes('nosuid'), !keepsPrivileges);
      assert.ok((await roots.remove(id('c'))).ok);
    }
  });

  it('ROOT-2: a root is unmounted while a process of the host has a file open in it', async (t) => {
    const { directory, layers } = place(t);
    const roots = await open(directory, 'overlay');
    const made = await roots.make(id('c'), layers, use);
    assert.ok(made.ok);
    const file = fs.openSync(join(made.value, 'both'), 'r');
    t.after(() => fs.closeSync(file));
    assert.ok((await roots.remove(id('c'))).ok);
    assert.deepEqual([fs.readdirSync(directory), mounts.below(directory)], [[], []]);
  });

  it('ROOT-3: a device in a root is not opened', async (t) => {
    const { directory, layers } = place(t);
    execFileSync('mknod', [join(layers[0] ?? '', 'zero'), 'c', '1', '5']);
    const roots = await open(directory, 'overlay');
    const made = await roots.make(id('c'), layers, use);
    assert.ok(made.ok);
    assert.throws(() => fs.readFileSync(join(made.value, 'zero')), /EACCES/);
    await roots.remove(id('c'));
  });

  it('overlayfs that does not work is an error if the flag asks for it, and else a reason to copy', async (t) => {
    const { around, layers } = place(t);
    // Upper directories on overlayfs are refused by the kernel.
    const below = join(around, 'm');
    for (const name of ['m', 'u', 'w']) fs.mkdirSync(join(around, name));
    const options = `lowerdir=${layers[0]},upperdir=${around}/u,workdir=${around}/w`;
    execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', below]);
    const common = { directory: join(below, 'roots'), files, mounts, helper, limits: { maxBytes: 1, maxEntries: 1 } };
    const wanted = await openRoots({ ...common, backend: 'overlay' });
    assert.match(wanted.ok ? '' : wanted.error, /--image_provisioner_backend=overlay: .*mount/);
    const chosen = await openRoots({ ...common, backend: undefined });
    assert.equal(chosen.ok && chosen.value.backend, 'copy');
  });
});
