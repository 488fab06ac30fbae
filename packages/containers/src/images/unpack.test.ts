import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Result, TreeDirectory } from '@meseta/base';
import { openTree } from '@meseta/platform/trees';
import { copyLayers } from './copy-layers.js';
import { type Entry, tarOf } from './testing/tar.js';
import { type UnpackedLayer, unpackLayer } from './unpack.js';

const asRoot = process.getuid?.() === 0 ? {} : { skip: 'owners, devices and trusted attributes need root' };
const limits = { maxBytes: 64 * 2 ** 20, maxEntries: 10_000 };

/** A directory that the layer is unpacked into, beside a file that no layer may reach. */
function place(t: TestContext): { readonly around: string; readonly root: string; readonly tree: TreeDirectory } {
  const around = fs.mkdtempSync(join(tmpdir(), 'unpack-'));
  t.after(() => fs.rmSync(around, { recursive: true }));
  const root = join(around, 'layer');
  fs.mkdirSync(root);
  fs.writeFileSync(join(around, 'outside'), 'untouched');
  const tree = openTree(root);
  assert.ok(tree.ok);
  t.after(() => tree.value.close());
  return { around, root, tree: tree.value };
}

async function* inParts(bytes: Uint8Array, partBytes = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes);
}

const unpack = (
  tree: TreeDirectory,
  bytes: Uint8Array,
  to: Partial<typeof limits> = {},
  expected?: string,
): Promise<Result<UnpackedLayer, string>> => unpackLayer(inParts(bytes), tree, { ...limits, ...to }, expected);

const errorOf = (result: Result<UnpackedLayer, string>): string => (result.ok ? 'unpacked' : result.error);

/** Everything below a directory: names with kinds. */
const seen = (root: string): readonly string[] =>
  fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .map((it) => `${join(it.parentPath, it.name).slice(root.length + 1)}${it.isDirectory() ? '/' : ''}`)
    .sort();

const directory = (name: string, rest: Partial<Entry> = {}): Entry => ({ name, type: '5', mode: 0o755, ...rest });
const link = (name: string, target: string): Entry => ({ name, type: '2', target });
const hardLink = (name: string, target: string): Entry => ({ name, type: '1', target });

describe('LAYER-1: a layer that reaches for what is outside of it is refused', asRoot, () => {
  const attacks: readonly (readonly [what: string, entries: readonly Entry[], error: RegExp])[] = [
    ['a name with ..', [{ name: '../outside', content: 'x' }], /"\.\.\/outside": leads out/],
    ['.. within a name', [{ name: 'a/../../outside', content: 'x' }], /leads out/],
    ['.. in a long name', [{ name: 'x', pax: { path: '/../outside' }, content: 'x' }], /leads out/],
    ['a directory ..', [directory('..')], /leads out/],
    [
      'a file through a link',
      [link('out', '..'), { name: 'out/outside', content: 'x' }],
      /"out" in it is a symbolic link/,
    ],
    ['a file through an absolute link', [link('etc', '/etc'), { name: 'etc/x', content: 'x' }], /symbolic link/],
    ['a directory through a link', [link('out', '..'), directory('out/made')], /symbolic link/],
    ['a link through a link', [link('out', '..'), link('out/made', 'x')], /symbolic link/],
    ['a hard link with ..', [hardLink('stolen', '../outside')], /leads out/],
    ['a hard link through a link', [link('out', '..'), hardLink('stolen', 'out/outside')], /symbolic link/],
    ['a hard link to an absolute path', [hardLink('stolen', '/etc/passwd')], /not in the layer/],
    ['a whiteout with ..', [{ name: '../.wh.outside' }], /leads out/],
    ['a whiteout through a link', [link('out', '..'), { name: 'out/.wh.outside' }], /symbolic link/],
    ['a whiteout of ..', [directory('a'), { name: 'a/.wh...' }], /whiteout of no name/],
    ['a whiteout of .', [directory('a'), { name: 'a/.wh..' }], /whiteout of no name/],
    ['an opaque mark through a link', [link('out', '..'), { name: 'out/.wh..wh..opq' }], /symbolic link/],
    ['a file below a file', [{ name: 'a', content: 'x' }, { name: 'a/b' }], /no directory/],
    [
      'a file that is the root',
      [
        { name: './', type: '0', content: '' },
        { name: '.', content: 'x' },
      ],
      /root/,
    ],
  ];
  for (const [what, entries, error] of attacks) {
    it(what, async (t) => {
      const { around, tree } = place(t);
      assert.match(errorOf(await unpack(tree, tarOf(entries))), error);
      assert.deepEqual(fs.readdirSync(around).sort(), ['layer', 'outside']);
      const outside = fs.statSync(join(around, 'outside'));
      assert.deepEqual([outside.nlink, fs.readFileSync(join(around, 'outside'), 'utf8')], [1, 'untouched']);
    });
  }
});

describe('names that look like a way out, and are none', asRoot, () => {
  it('an absolute name is below the root; links keep their targets', async (t) => {
    const { root, tree } = place(t);
    const entries = [{ name: '/etc/motd', content: 'x' }, link('etc/mtab', '/proc/mounts'), link('up', '../../..')];
    assert.equal(errorOf(await unpack(tree, tarOf(entries))), 'unpacked');
    assert.deepEqual(seen(root), ['etc/', 'etc/motd', 'etc/mtab', 'up']);
    assert.equal(fs.readlinkSync(join(root, 'up')), '../../..');
  });

  it('a link that is replaced by a directory is not followed', async (t) => {
    const { around, root, tree } = place(t);
    const entries = [link('a', '..'), directory('a'), { name: 'a/b', content: 'x' }];
    assert.equal(errorOf(await unpack(tree, tarOf(entries))), 'unpacked');
    assert.deepEqual(seen(root), ['a/', 'a/b']);
    assert.ok(!fs.existsSync(join(around, 'b')));
  });

  it('a link that replaces a directory gets neither its owner nor its mode', async (t) => {
    const { around, root, tree } = place(t);
    const before = fs.statSync(around);
    const entries = [directory('a/b', { uid: 1234, mode: 0o777 }), link('a', '..')];
    assert.equal(errorOf(await unpack(tree, tarOf(entries))), 'unpacked');
    assert.deepEqual(seen(root), ['a']);
    const after = fs.statSync(around);
    assert.deepEqual([after.uid, after.mode], [before.uid, before.mode]);
  });

  it('a hard link to a directory above it, which it replaces, fails', async (t) => {
    const { tree } = place(t);
    assert.match(
      errorOf(await unpack(tree, tarOf([{ name: 'a/b', content: 'x' }, hardLink('a', 'a/b')]))),
      /ENOENT|No such/,
    );
  });
});

const LONG = 'x'.repeat(65_536);
const excesses: readonly (readonly [what: string, bytes: () => Buffer, to: Partial<typeof limits>, error: RegExp])[] = [
  ['a name of 64 KiB', () => tarOf([{ name: 'x', pax: { path: LONG } }]), {}, /at most 4095 bytes, got 65536/],
  ['a target of 64 KiB', () => tarOf([{ name: 'x', type: '2', pax: { linkpath: LONG } }]), {}, /at most 4095 bytes/],
  ['a component of 300 bytes', () => tarOf([{ name: 'x', pax: { path: 'y'.repeat(300) } }]), {}, /too long/],
  ['1000 levels', () => tarOf([{ name: 'x', pax: { path: 'a/'.repeat(1000) } }]), {}, /at most 256 levels/],
  [
    'entries',
    () => tarOf(Array.from({ length: 30 }, (_, i) => ({ name: `f${i}` }))),
    { maxEntries: 29 },
    /more than 29 entries/,
  ],
  ['directories that no entry names', () => tarOf([{ name: 'a/b/c/d/e' }]), { maxEntries: 4 }, /more than 4 entries/],
  [
    'bytes',
    () => tarOf([{ name: 'f', content: 'x'.repeat(5000) }]),
    { maxBytes: 4000 },
    /more than 4000 bytes.*--docker_max_image_size/,
  ],
  ['a size that the archive lacks', () => tarOf([{ name: 'f', size: 2 ** 32 }]), {}, /more than \d+ bytes/],
  [
    'a gzip bomb',
    () => gzipSync(Buffer.concat([tarOf([]), Buffer.alloc(4 * 2 ** 20)])),
    { maxBytes: 2 ** 20 },
    /more than 1048576 bytes/,
  ],
  ['a sparse file of GNU', () => tarOf([{ name: 'f', type: 'S', size: 2 ** 33 - 1 }]), {}, /sparse file/],
  [
    'a sparse file of pax',
    () => tarOf([{ name: 'f', pax: { 'GNU.sparse.realsize': '99999999999' } }]),
    {},
    /sparse file/,
  ],
  [
    'an extended header of 2 MiB',
    () => tarOf([{ name: 'f', pax: { 'SCHILY.xattr.user.x': 'v'.repeat(2 ** 21) } }]),
    {},
    /more than 1048576 bytes/,
  ],
  [
    'an attribute of a directory that the kernel refuses, before the rest is read',
    () =>
      tarOf([
        { name: 'd', type: '5', pax: { 'SCHILY.xattr.user.x': 'v'.repeat(70_000) } },
        { name: '..', type: '5' },
      ]),
    {},
    /"d": "user\.x"/,
  ],
  [
    'a hundred headers for one entry',
    () => Buffer.concat(Array.from({ length: 100 }, () => tarOf([{ name: 'g', type: 'g' }]).subarray(0, 512))),
    {},
    /more than 8 headers/,
  ],
  ['a size that is no number', () => tarOf([{ name: 'f', pax: { size: '-1' } }]), {}, /size is no number/],
  ['an owner beyond 32 bits', () => tarOf([{ name: 'f', pax: { uid: '4294967295' } }]), {}, /an owner beyond/],
  [
    'a record that is longer than its header',
    () => tarOf([{ name: 'x', type: 'x', content: '999 path=a\n' }]),
    {},
    /damaged extended header/,
  ],
  [
    'a record of no length',
    () => tarOf([{ name: 'x', type: 'x', content: '0 path=a\n' }]),
    {},
    /damaged extended header/,
  ],
  ['a header with a wrong checksum', () => Buffer.from(tarOf([{ name: 'f' }]).fill(0x41, 0, 1)), {}, /checksum/],
  ['an unknown type', () => tarOf([{ name: 'f', type: 'Z' }]), {}, /type "Z"/],
  [
    'an end within an entry',
    () => tarOf([{ name: 'f', content: 'x'.repeat(600) }]).subarray(0, 1000),
    {},
    /middle of an entry/,
  ],
  ['damaged gzip data', () => gzipSync(tarOf([{ name: 'f' }])).fill(0xff, 12, 30), {}, /damaged/],
  ['a cut gzip stream', () => gzipSync(tarOf([{ name: 'f' }])).subarray(0, 40), {}, /damaged/],
  ['another kind of compression', () => Buffer.from('fd377a585a000000', 'hex'), {}, /compressed with xz/],
  ['a name with a NUL', () => tarOf([{ name: 'x', pax: { path: 'a\0b' } }]), {}, /NUL/],
];

describe('LAYER-2, TAR-1, TAR-2, UNPACK-2: sizes, numbers and names are limited', asRoot, () => {
  for (const [what, bytes, to, error] of excesses) {
    it(what, async (t) => {
      const { tree } = place(t);
      assert.match(errorOf(await unpack(tree, bytes(), to)), error);
    });
  }
});

describe('UNPACK-3: the time for a layer is linear in its size', asRoot, () => {
  it('directories that are replaced by files', async (t) => {
    const { root, tree } = place(t);
    const entries = Array.from({ length: 500 }, (_, i) => [directory(`d${i}/a`), { name: `d${i}` }]).flat();
    assert.equal(errorOf(await unpack(tree, tarOf(entries), { maxEntries: 20_000 })), 'unpacked');
    assert.equal(fs.readdirSync(root).length, 500);
  });
});

describe('LAYER-4: devices and attributes', asRoot, () => {
  it('no device is made, nor an attribute of the kernel that a layer must not set', async (t) => {
    const { root, tree } = place(t);
    const entries: Entry[] = [
      { name: 'dev/sda', type: '4' },
      { name: 'dev/null', type: '3' },
      directory('d', {
        pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y', 'SCHILY.xattr.trusted.overlay.redirect': '/etc' },
      }),
      { name: 'f', pax: { 'SCHILY.xattr.trusted.overlay.metacopy': '', 'SCHILY.xattr.user.kept': 'v\xff' } },
    ];
    assert.equal(errorOf(await unpack(tree, tarOf(entries))), 'unpacked');
    assert.deepEqual(seen(root), ['d/', 'f']);
    const d = tree.openDirectory('d');
    assert.ok(d.ok);
    const attributes = d.value.attributes();
    d.value.close();
    assert.ok(attributes.ok);
    assert.deepEqual([...attributes.value.extended.keys()], []);
    const f = tree.entryOf('f');
    assert.ok(f.ok);
    assert.deepEqual(
      [...f.value.attributes.extended].map(([k, v]) => [k, Buffer.from(v).toString('latin1')]),
      [['user.kept', 'v\xff']],
    );
  });
});

/** A capability of a file as the kernel keeps it: version 2, effective, CAP_SETUID (7). */
const CAPABILITY = Buffer.from('0100000280000000000000000000000000000000', 'hex');

describe('what an honest layer has is kept exactly', asRoot, () => {
  it('owners, modes with setuid, times, capabilities, names of any bytes, fifos and hard links', async (t) => {
    const { root, tree } = place(t);
    const bytes = tarOf([
      directory('./', { uid: 5, mode: 0o751 }),
      directory('bin', { mode: 0o1755, modified: 77, gid: 9 }),
      { name: 'bin/su', content: 'su', mode: 0o4755, uid: 0, gid: 12, modified: 1234 },
      {
        name: 'bin/newuidmap',
        mode: 0o755,
        uid: 3,
        pax: { 'SCHILY.xattr.security.capability': CAPABILITY.toString('latin1'), mtime: '99.5' },
      },
      hardLink('bin/su2', 'bin/su'),
      { name: 'caf\xe9', content: 'latin1' },
      { name: 'pipe', type: '6', mode: 0o622, uid: 8 },
      { ...link('l', 'bin/su'), uid: 1234, modified: 4321 },
      { name: 'x', pax: { path: `deep/${'n'.repeat(200)}` }, content: 'y'.repeat(1500) },
    ]);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const done = await unpack(tree, gzipSync(bytes), {}, digest);
    assert.deepEqual(done.ok && done.value.diffId, digest);
    const stat = (name: string | Buffer) => fs.lstatSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)]));
    assert.deepEqual([stat('.').uid, stat('.').mode & 0o7777], [5, 0o751]);
    assert.deepEqual([stat('bin').mode & 0o7777, stat('bin').mtimeMs, stat('bin').gid], [0o1755, 77_000, 9]);
    const su = stat('bin/su');
    assert.deepEqual([su.mode & 0o7777, su.gid, su.mtimeMs, su.nlink], [0o4755, 12, 1_234_000, 2]);
    assert.equal(stat('bin/su2').ino, su.ino);
    assert.equal(stat('bin/newuidmap').mtimeMs, 99_500);
    const bin = tree.openDirectory('bin');
    assert.ok(bin.ok);
    const capable = bin.value.entryOf('newuidmap');
    bin.value.close();
    assert.deepEqual(
      capable.ok && Buffer.from(capable.value.attributes.extended.get('security.capability') ?? []),
      CAPABILITY,
    );
    assert.ok(stat(Buffer.from('caf\xe9', 'latin1')).isFile());
    assert.deepEqual([stat('pipe').isFIFO(), stat('pipe').mode & 0o777, stat('pipe').uid], [true, 0o622, 8]);
    assert.deepEqual([stat('l').uid, stat('l').mtimeMs], [1234, 4_321_000]);
    assert.equal(stat(`deep/${'n'.repeat(200)}`).size, 1500);
  });

  it('UNPACK-1: a digest of other bytes is refused, also if only bytes behind the end differ', async (t) => {
    const { tree } = place(t);
    const bytes = tarOf([{ name: 'f', content: 'x' }]);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const longer = Buffer.concat([bytes, Buffer.from('more')]);
    assert.match(errorOf(await unpack(tree, longer, {}, digest)), /has the digest sha256:[0-9a-f]{64}, expected/);
  });

  it('reads what the tar of the system writes', async (t) => {
    const { around, root, tree } = place(t);
    const from = join(around, 'from');
    fs.mkdirSync(join(from, 'd'.repeat(120)), { recursive: true });
    fs.writeFileSync(join(from, 'd'.repeat(120), 'f'.repeat(120)), 'long');
    fs.writeFileSync(join(from, 'large'), Buffer.alloc(300_000, 7));
    fs.linkSync(join(from, 'large'), join(from, 'same'));
    for (const format of ['gnu', 'pax', 'ustar']) {
      const skipped = format === 'ustar' ? ['--exclude=d*'] : [];
      const bytes = execFileSync('tar', ['cf', '-', `--format=${format}`, ...skipped, '-C', from, '.'], {
        maxBuffer: 2 ** 24,
      });
      assert.equal(errorOf(await unpack(tree, bytes)), 'unpacked', format);
    }
    assert.deepEqual(seen(root), seen(from));
    assert.deepEqual(fs.readFileSync(join(root, 'same')), fs.readFileSync(join(from, 'large')));
  });
});

describe('LAYER-3: whiteouts', asRoot, () => {
  const lower = [
    directory('a', { mode: 0o700 }),
    { name: 'a/gone', content: '1' },
    { name: 'a/kept', content: '2' },
    directory('b'),
    { name: 'b/hidden', content: '3' },
    directory('c/d'),
    { name: 'c/d/e', content: '4' },
    { name: 'f', content: '5' },
    link('l', 'a'),
  ];
  const upper = [
    directory('a', { mode: 0o750 }),
    { name: 'a/.wh.gone' },
    { name: 'a/.wh.never' },
    directory('b'),
    { name: 'b/.wh..wh..opq' },
    { name: 'b/new', content: '6' },
    { name: '.wh.c' },
    directory('c'),
    { name: 'c/other', content: '7' },
    { name: '.wh..wh.plnk' },
    // About the layer below, where there was a file.
    directory('f'),
    { name: 'f/in', content: '8' },
    { name: 'l', content: '9' },
  ];
  const expected = ['a/', 'a/kept', 'b/', 'b/new', 'c/', 'c/other', 'f/', 'f/in', 'l'];

  async function layers(t: TestContext): Promise<readonly string[]> {
    const paths: string[] = [];
    for (const entries of [lower, upper]) {
      const { root, tree } = place(t);
      assert.equal(errorOf(await unpack(tree, tarOf(entries))), 'unpacked');
      paths.push(root);
    }
    return paths;
  }

  it('COPY-2: copied layers', async (t) => {
    const paths = await layers(t);
    const { root, tree } = place(t);
    const opened = paths.map((path) => openTree(path));
    const trees = opened.flatMap((it) => (it.ok ? [it.value] : []));
    assert.equal(copyLayers(trees, tree, limits, true), undefined);
    for (const it of trees) it.close();
    assert.deepEqual(seen(root), expected);
    assert.equal(fs.statSync(join(root, 'a')).mode & 0o777, 0o750);
  });

  it('layers under overlayfs', async (t) => {
    const [low = '', high = ''] = await layers(t);
    const { root } = place(t);
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', `ro,lowerdir=${high}:${low}`, root]);
    const names = seen(root);
    execFileSync('umount', [root]);
    assert.deepEqual(names, expected);
  });

  it('COPY-1: hard links, setuid bits, owners and capabilities are copied', async (t) => {
    const { root: layer, tree: from } = place(t);
    const entries = [
      { name: 'su', content: 'su', mode: 0o4755, uid: 7 },
      hardLink('su2', 'su'),
      { name: 'c', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': CAPABILITY.toString('latin1') } },
    ];
    assert.equal(errorOf(await unpack(from, tarOf(entries))), 'unpacked');
    const { root, tree } = place(t);
    assert.equal(copyLayers([from], tree, limits, true), undefined);
    const [su, su2] = ['su', 'su2'].map((name) => fs.statSync(join(root, name)));
    assert.deepEqual([su?.mode, su?.uid, su?.ino], [0o104755, 7, su2?.ino]);
    assert.notEqual(su?.ino, fs.statSync(join(layer, 'su')).ino);
    const c = tree.entryOf('c');
    assert.deepEqual(c.ok && Buffer.from(c.value.attributes.extended.get('security.capability') ?? []), CAPABILITY);
  });

  it('COPY-3: without privileges, files have neither setuid bits nor capabilities; directories keep theirs', async (t) => {
    const { tree: from } = place(t);
    const entries = [
      { name: 'su', mode: 0o6755 },
      directory('d', { mode: 0o2775 }),
      { name: 'c', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': CAPABILITY.toString('latin1') } },
    ];
    assert.equal(errorOf(await unpack(from, tarOf(entries))), 'unpacked');
    const { root, tree } = place(t);
    assert.equal(copyLayers([from], tree, limits, false), undefined);
    assert.equal(fs.statSync(join(root, 'su')).mode & 0o7777, 0o755);
    assert.equal(fs.statSync(join(root, 'd')).mode & 0o7777, 0o2775);
    const c = tree.entryOf('c');
    assert.deepEqual(c.ok && [...c.value.attributes.extended.keys()], []);
  });
});
