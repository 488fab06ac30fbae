import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SystemResult, TreeAttributes, TreeDirectory } from '@meseta/base';
import { openTree } from './trees.js';

const asRoot = process.getuid?.() === 0 ? {} : { skip: 'owners and devices need root' };

/** An empty tree beside a file and a directory that no call may reach. */
function make(t: TestContext): { readonly around: string; readonly root: string; readonly tree: TreeDirectory } {
  const around = fs.mkdtempSync(join(tmpdir(), 'trees-'));
  t.after(() => fs.rmSync(around, { recursive: true }));
  fs.writeFileSync(join(around, 'outside'), 'untouched');
  const root = join(around, 'tree');
  fs.mkdirSync(root);
  const tree = openTree(root);
  assert.ok(tree.ok);
  t.after(() => tree.value.close());
  return { around, root, tree: tree.value };
}

const codeOf = (result: SystemResult<unknown>): string => (result.ok ? 'done' : result.error.code);

const attributes: TreeAttributes = {
  uid: 3,
  gid: 4,
  mode: 0o4711,
  modifiedSeconds: 5,
  modifiedNanoseconds: 6,
  extended: new Map(),
};

test('TREE-1: a name is one path component', (t) => {
  const { around, tree } = make(t);
  for (const name of ['', '.', '..', 'a/b', '../outside', '/etc/passwd', 'a\0b']) {
    const calls = [
      tree.openDirectory(name),
      tree.makeDirectory(name),
      tree.makeFile(name),
      tree.makeSymlink(name, 'x'),
      tree.makeHardLink('new', tree, name),
      tree.makeHardLink(name, tree, 'new'),
      tree.makeFifo(name),
      tree.makeWhiteout(name),
      tree.copyFile('new', tree, name),
      tree.copyFile(name, tree, 'new'),
      tree.entryOf(name),
      tree.targetOf(name),
      tree.removeFile(name),
      tree.removeEmptyDirectory(name),
      tree.setAttributesOf(name, attributes),
    ];
    assert.deepEqual(new Set(calls.map(codeOf)), new Set(['EINVAL']), JSON.stringify(name));
  }
  assert.deepEqual(fs.readdirSync(join(around, 'tree')), []);
});

test('TREE-1: no call follows a symbolic link', asRoot, (t) => {
  const { around, root, tree } = make(t);
  fs.symlinkSync('../outside', join(root, 'file'));
  fs.symlinkSync('..', join(root, 'up'));
  assert.equal(codeOf(tree.openDirectory('up')), 'ENOTDIR');
  assert.equal(codeOf(tree.makeFile('file')), 'EEXIST');
  assert.equal(codeOf(tree.makeDirectory('up')), 'EEXIST');
  assert.equal(codeOf(tree.setAttributesOf('file', attributes)), 'done');
  assert.equal(codeOf(tree.makeHardLink('hard', tree, 'file')), 'done');
  assert.ok(fs.lstatSync(join(root, 'hard')).isSymbolicLink());
  const entry = tree.entryOf('file');
  assert.deepEqual(entry.ok && [entry.value.kind, entry.value.attributes.uid], ['symlink', 3]);
  assert.equal(codeOf(tree.removeFile('file')), 'done');
  const outside = fs.statSync(join(around, 'outside'));
  assert.deepEqual([outside.uid, outside.mode & 0o7777, outside.nlink], [process.getuid?.(), 0o644, 1]);
});

test('TREE-2: the owner of a file is set before its setuid bit and its capability, and the time last', asRoot, (t) => {
  const { root, tree } = make(t);
  const capability = Buffer.from('0100000280000000000000000000000000000000', 'hex');
  const extended = new Map([['security.capability', capability]]);
  const file = tree.makeFile('f');
  assert.ok(file.ok);
  assert.equal(codeOf(file.value.write(Buffer.from('content'))), 'done');
  assert.equal(codeOf(file.value.setAttributes({ ...attributes, extended })), 'done');
  file.value.close();
  const stat = fs.statSync(join(root, 'f'), { bigint: true });
  assert.deepEqual([Number(stat.mode) & 0o7777, stat.uid, stat.gid, stat.mtimeNs], [0o4711, 3n, 4n, 5_000_000_006n]);
  const entry = tree.entryOf('f');
  assert.deepEqual(
    entry.ok && Buffer.from(entry.value.attributes.extended.get('security.capability') ?? []),
    capability,
  );
  assert.equal(codeOf(tree.makeFifo('p')), 'done');
  assert.equal(codeOf(tree.setAttributesOf('p', attributes)), 'done');
  assert.equal(fs.statSync(join(root, 'p')).mode & 0o7777, 0o4711);
});

test('names are bytes, whatever their encoding', (t) => {
  const { root, tree } = make(t);
  assert.equal(codeOf(tree.makeDirectory('caf\xe9')), 'done');
  assert.deepEqual(fs.readdirSync(root, 'buffer'), [Buffer.from('caf\xe9', 'latin1')]);
  const names = tree.names();
  assert.deepEqual(names.ok && names.value, ['caf\xe9']);
});
