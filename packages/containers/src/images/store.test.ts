import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ContainerId, Result } from '@meseta/base';
import { canonicalName, parseReference } from './references.js';
import type { StoredImage } from './store.js';
import { openTestStore, scratchDirectory, type TestStore } from './testing/store.js';
import { tarOf } from './testing/tar.js';

const asRoot = process.getuid?.() === 0 ? {} : { skip: 'unpacking needs root' };
const id = (text: string): ContainerId => text as ContainerId;
const errorOf = (result: Result<StoredImage, string>): string => (result.ok ? 'there' : result.error);

const layerOf = (name: string): Buffer => tarOf([{ name, content: name }]);

/** An archive of `docker save` in the directory, with layers of these names. */
function archive(directory: string, name: string, layers: readonly string[]): void {
  const manifest = [{ Config: 'c', RepoTags: [name], Layers: layers }];
  const files = layers.map((layer) => ({ name: layer, content: layerOf(layer) }));
  const documents = [
    { name: 'manifest.json', content: JSON.stringify(manifest) },
    { name: 'c', content: JSON.stringify({ config: { Cmd: [name] } }) },
  ];
  writeFileSync(join(directory, `${name}.tar`), tarOf([...documents, ...files]));
}

async function open(t: TestContext): Promise<TestStore & { readonly archives: string }> {
  const archives = scratchDirectory(t);
  archive(archives, 'a:1', ['base', 'a']);
  archive(archives, 'b:1', ['base', 'b']);
  return { ...(await openTestStore(t, { registry: archives })), archives };
}

const layersIn = ({ directory }: TestStore): number => readdirSync(join(directory, 'layers')).length;
const namesOf = (...names: string[]): ReadonlySet<string> =>
  new Set(
    names.map((name) => {
      const reference = parseReference(name);
      return reference.ok ? canonicalName(reference.value) : '';
    }),
  );

describe('images that no container uses are removed', asRoot, () => {
  it('STORE-2: those in use stay, with the layers that they share', async (t) => {
    const opened = await open(t);
    const { store, get } = opened;
    assert.equal(errorOf(await get('a:1', { container: 'ca' })), 'there');
    assert.equal(errorOf(await get('b:1', { container: 'cb' })), 'there');
    assert.equal(layersIn(opened), 3);
    assert.equal(await store.prune(new Set()), undefined);
    assert.equal(layersIn(opened), 3);
    store.release(id('cb'));
    assert.equal(await store.prune(new Set()), undefined);
    assert.equal(layersIn(opened), 2);
    store.release(id('ca'));
    assert.equal(await store.prune(new Set()), undefined);
    assert.deepEqual([layersIn(opened), readdirSync(join(opened.directory, 'images'))], [0, []]);
    assert.deepEqual(readdirSync(join(opened.directory, 'staging')), []);
  });

  it('excluded images stay', async (t) => {
    const opened = await open(t);
    await opened.get('a:1', { container: 'ca' });
    await opened.get('b:1', { container: 'cb' });
    for (const container of ['ca', 'cb']) opened.store.release(id(container));
    assert.equal(await opened.store.prune(namesOf('b:1', 'other')), undefined);
    assert.equal(layersIn(opened), 2);
    rmSync(join(opened.archives, 'b:1.tar'));
    assert.equal(errorOf(await opened.get('b:1')), 'there');
  });

  it('layers of containers of an earlier agent process stay', async (t) => {
    const opened = await open(t);
    const first = await opened.get('a:1');
    assert.ok(first.ok);
    const again = await openTestStore(t, { registry: opened.archives }, opened.directory);
    again.store.keep(id('c'), first.value.layers);
    assert.equal(await again.store.prune(new Set()), undefined);
    assert.equal(layersIn(opened), 2);
  });

  it("layers are removed even if an image's record can't be", async (t) => {
    const opened = await open(t);
    await opened.get('a:1');
    opened.store.release(id('c'));
    const [record = ''] = readdirSync(join(opened.directory, 'images'));
    rmSync(join(opened.directory, 'images', record));
    mkdirSync(join(opened.directory, 'images', record));
    assert.match((await opened.store.prune(new Set())) ?? 'removed', /EISDIR|is a directory/i);
    assert.equal(layersIn(opened), 0);
  });

  it('an image that is pulled while others are removed is whole', async (t) => {
    const opened = await open(t);
    for (let round = 0; round < 5; round++) {
      await opened.get('a:1');
      opened.store.release(id('c'));
      const [problem, pulled] = await Promise.all([
        opened.store.prune(new Set()),
        opened.get('b:1', { container: 'd' }),
      ]);
      assert.equal(problem, undefined);
      assert.ok(pulled.ok, errorOf(pulled));
      for (const layer of pulled.value.layers) assert.equal(readdirSync(layer).length, 1);
      opened.store.release(id('d'));
    }
  });
});

describe('a store that an agent opens again', asRoot, () => {
  it('has its images without the archive', async (t) => {
    const opened = await open(t);
    await opened.get('a:1');
    rmSync(join(opened.archives, 'a:1.tar'));
    const again = await openTestStore(t, { registry: opened.archives }, opened.directory);
    const found = await again.get('a:1');
    assert.deepEqual(found.ok && found.value.config.cmd, ['a:1']);
  });

  it('STORE-1: what an interrupted pull has left is removed, and a damaged record counts for nothing', async (t) => {
    const opened = await open(t);
    await opened.get('a:1');
    mkdirSync(join(opened.directory, 'staging/pull-0/layer-0/deep'), { recursive: true });
    const [record = ''] = readdirSync(join(opened.directory, 'images'));
    writeFileSync(join(opened.directory, 'images', record), '{"name": "a:');
    const again = await openTestStore(t, { registry: opened.archives }, opened.directory);
    assert.deepEqual(readdirSync(join(opened.directory, 'staging')), []);
    assert.equal(errorOf(await again.get('a:1')), 'there');
  });

  it('pulls an image again when one of its layers is gone', async (t) => {
    const opened = await open(t);
    const first = await opened.get('a:1');
    assert.ok(first.ok);
    rmSync(first.value.layers[0] ?? '', { recursive: true });
    const again = await openTestStore(t, { registry: opened.archives }, opened.directory);
    assert.equal(errorOf(await again.get('a:1')), 'there');
    assert.ok(existsSync(first.value.layers[0] ?? ''));
  });
});

describe('a directory of archives', asRoot, () => {
  it('an image without an archive', async (t) => {
    const { get, archives } = await open(t);
    assert.equal(
      errorOf(await get('absent')),
      `image absent:latest: there is no archive ${archives}/absent:latest.tar (--docker_registry)`,
    );
  });

  it('an archive that is no archive leaves nothing', async (t) => {
    const { get, archives, directory } = await open(t);
    writeFileSync(join(archives, 'bad:latest.tar'), 'x'.repeat(2000));
    assert.match(errorOf(await get('bad')), /image bad:latest: .*bad:latest\.tar: .*checksum/);
    assert.deepEqual(readdirSync(join(directory, 'staging')), []);
  });

  it('a layer that an image has twice', async (t) => {
    const { get, archives } = await open(t);
    archive(archives, 'twice:1', ['base', 'a', 'base']);
    const found = await get('twice:1');
    assert.ok(found.ok, errorOf(found));
    assert.equal(found.value.layers[0], found.value.layers[2]);
  });
});
