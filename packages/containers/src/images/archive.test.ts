import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Result } from '@meseta/base';
import { readBlob } from '@meseta/platform/blobs';
import { openTree } from '@meseta/platform/trees';
import { handleHelperRequest } from './helper.js';
import type { ArchivedImage } from './helper-protocol.js';
import { parseReference } from './references.js';
import { type Entry, tarOf } from './testing/tar.js';

const sha256 = (bytes: Uint8Array | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const json = (value: unknown): string => JSON.stringify(value);

const layers = [tarOf([{ name: 'a', content: '1' }]), tarOf([{ name: 'b', content: '2' }])];
const config = { Cmd: ['/a'], Env: ['A=1'], Entrypoint: null, WorkingDir: '/w', User: '' };
const description = json({ config, rootfs: { type: 'layers', diff_ids: layers.map(sha256) } });
const expected = { entrypoint: [], cmd: ['/a'], env: ['A=1'], workingDir: '/w', user: undefined };

/** `manifest.json` with files in directories. */
const saved = (tags: unknown, rest: readonly Entry[] = []): readonly Entry[] => [
  {
    name: 'manifest.json',
    content: json([{ Config: 'c.json', RepoTags: tags, Layers: ['x/layer.tar', 'y/layer.tar'] }]),
  },
  { name: 'c.json', content: description },
  { name: 'x/layer.tar', content: layers[0] ?? '' },
  { name: 'y/layer.tar', content: layers[1] ?? '' },
  ...rest,
];

/** Only `repositories`, as Docker before 1.10 wrote it. */
const layered = (parent: unknown = 'x'): readonly Entry[] => [
  { name: './repositories', content: json({ small: { latest: 'y' } }) },
  { name: './x/json', content: json({ id: 'x' }) },
  { name: './x/layer.tar', content: layers[0] ?? '' },
  { name: './y/json', content: json({ id: 'y', parent, config }) },
  { name: './y/layer.tar', content: layers[1] ?? '' },
];

interface Layout {
  readonly ref?: string;
  readonly platform?: object;
  readonly wrongConfig?: boolean;
}

/** The OCI layout with compressed layers. */
function layout({ ref, platform, wrongConfig = false }: Layout): readonly Entry[] {
  const blobs = new Map<string, Uint8Array | string>();
  const blob = (content: Uint8Array | string) => {
    blobs.set(sha256(content), content);
    return { digest: sha256(content), size: content.length };
  };
  const packed = layers.map((layer) => blob(gzipSync(layer)));
  const manifest = blob(json({ schemaVersion: 2, config: blob(description), layers: packed }));
  const annotations = ref === undefined ? {} : { 'org.opencontainers.image.ref.name': ref };
  if (wrongConfig) blobs.set(sha256(description), `${description} `);
  return [
    { name: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { name: 'index.json', content: json({ schemaVersion: 2, manifests: [{ ...manifest, annotations, platform }] }) },
    ...[...blobs].map(([digest, content]) => ({ name: `blobs/${digest.replace(':', '/')}`, content })),
  ];
}

function directory(t: TestContext): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'archive-'));
  t.after(() => fs.rmSync(path, { recursive: true }));
  return path;
}

async function inspect(
  t: TestContext,
  make: (path: string) => void,
  isDirectory = false,
  name = 'small',
): Promise<Result<ArchivedImage, string>> {
  const around = directory(t);
  const path = join(around, 'image');
  make(path);
  const scratch = join(around, 'scratch');
  fs.mkdirSync(scratch);
  const reference = parseReference(name);
  assert.ok(reference.ok);
  const found = await handleHelperRequest(
    { openTree, readBlob, sync: () => {} },
    {
      kind: 'inspect',
      path,
      isDirectory,
      reference: reference.value,
      platform: { os: 'linux', architecture: 'amd64' },
      scratch,
      maxBytes: 2 ** 24,
    },
  );
  return found as Result<ArchivedImage, string>;
}

async function contentOf({ layers: found }: ArchivedImage): Promise<readonly Buffer[]> {
  const contents: Buffer[] = [];
  for (const { path, offset, sizeBytes } of found) {
    const parts: Uint8Array[] = [];
    for await (const part of readBlob(path, offset, sizeBytes)) parts.push(part);
    contents.push(Buffer.concat(parts));
  }
  return contents;
}

const write = (entries: readonly Entry[]) => (path: string) => fs.writeFileSync(path, tarOf(entries));
const links: readonly Entry[] = saved(['small:latest']).map((entry) =>
  entry.name === 'y/layer.tar' ? { name: entry.name, type: '2', target: '../z/layer.tar' } : entry,
);

describe('images in archives', () => {
  const archives: readonly (readonly [what: string, make: (path: string) => void, name?: string])[] = [
    ['manifest.json', write(saved(['other:1', 'small:latest']))],
    ['manifest.json of an image of Docker Hub', write(saved(['docker.io/library/small:latest']))],
    ['manifest.json without tags', write(saved(null))],
    ['manifest.json with an image of another registry', write(saved(['host:5000/small:1'])), 'host:5000/small:1'],
    [
      'a layer that is a link to another directory',
      write([...links, { name: 'z/layer.tar', content: layers[1] ?? '' }]),
    ],
    ['a compressed archive', (path) => fs.writeFileSync(path, gzipSync(tarOf(saved(['small:latest']))))],
    ['repositories', write(layered())],
    ['the OCI layout, by tag', write(layout({ ref: 'latest' }))],
    ['the OCI layout, by name', write(layout({ ref: 'docker.io/library/small:latest' }))],
    ['the OCI layout with one image', write(layout({}))],
  ];
  for (const [what, make, name] of archives) {
    it(what, async (t) => {
      const found = await inspect(t, make, false, name);
      assert.ok(found.ok, found.ok ? '' : found.error);
      assert.deepEqual(found.value.description.config, expected);
      const contents = await contentOf(found.value);
      const wanted = what.startsWith('the OCI') ? layers.map((it) => gzipSync(it)) : layers;
      assert.deepEqual(contents, wanted);
    });
  }

  it('the OCI layout as a directory', async (t) => {
    const found = await inspect(
      t,
      (path) => {
        for (const { name, content } of layout({})) {
          fs.mkdirSync(join(path, name, '..'), { recursive: true });
          fs.writeFileSync(join(path, name), content ?? '');
        }
      },
      true,
    );
    assert.ok(found.ok, found.ok ? '' : found.error);
    assert.equal(found.value.layers.length, 2);
  });
});

describe('ARCHIVE-1, ARCHIVE-2: archives that are refused', () => {
  const many = Array.from({ length: 200 }, (_, i) => `l${i}`);
  const archives: readonly (readonly [what: string, make: (path: string) => void, error: RegExp])[] = [
    ['another tag', write(saved(['small:2'])), /has no image small:latest, only small:2/],
    [
      'another tag in repositories',
      write([{ name: 'repositories', content: json({ small: { other: 'y' } }) }]),
      /no image small:latest/,
    ],
    [
      'a name of an object',
      write([{ name: 'repositories', content: json({ small: { __proto__: null } }) }]),
      /no image/,
    ],
    ['a layer that is missing', write(saved(['small:latest']).slice(0, 3)), /"y\/layer.tar" is not in the archive/],
    [
      'a layer outside',
      write([
        { name: 'manifest.json', content: json([{ Config: 'c.json', Layers: ['../../etc/passwd'] }]) },
        { name: 'c.json', content: description },
      ]),
      /not in the archive/,
    ],
    [
      'a layer by an absolute path',
      write([{ name: 'manifest.json', content: json([{ Config: '/etc/hostname', Layers: ['/etc/passwd'] }]) }]),
      /not in the archive/,
    ],
    [
      'links that lead to each other',
      write([...saved([]).slice(0, 2), { name: 'x/layer.tar', type: '2', target: 'layer.tar' }]),
      /"x\/layer.tar" is not in the archive/,
    ],
    ['parents without an end', write(layered('y')), /at most 127 items/],
    [
      'too many layers',
      write([
        { name: 'manifest.json', content: json([{ Config: 'c.json', Layers: many }]) },
        { name: 'c.json', content: json({}) },
      ]),
      /at most 127 items, got 200/,
    ],
    [
      'fewer digests than layers',
      write(
        saved(['small:latest']).map((it) =>
          it.name === 'c.json' ? { ...it, content: json({ rootfs: { diff_ids: [sha256('')] } }) } : it,
        ),
      ),
      /diff_ids: expected 2/,
    ],
    ['a document that is no JSON', write([{ name: 'manifest.json', content: '[' }]), /manifest.json: expected JSON/],
    ['a document of 5 MB', write([{ name: 'manifest.json', content: ' '.repeat(5_000_000) }]), /at most 4194304 bytes/],
    ['a blob with other content', write(layout({ wrongConfig: true })), /its content has the digest/],
    [
      'an image for another machine',
      write(layout({ platform: { os: 'linux', architecture: 'riscv64', variant: 'x' } })),
      /not for linux\/amd64, only for linux\/riscv64\/x/,
    ],
    ['another image in the layout', write(layout({ ref: '2' })), /has no image small:latest/],
    ['a name that leads out', write([{ name: '../x', content: '' }]), /leads out/],
    ['ten thousand files', write(Array.from({ length: 2000 }, (_, i) => ({ name: `f${i}` }))), /more than 1370 files/],
    ['nothing of an image', write([{ name: 'x' }]), /none of manifest.json, repositories and index.json/],
    ['no archive', (path) => fs.writeFileSync(path, 'x'.repeat(1024)), /checksum/],
    ['a directory', (path) => fs.mkdirSync(path), /regular file|EISDIR/],
  ];
  for (const [what, make, error] of archives) {
    it(what, async (t) => {
      const found = await inspect(t, make);
      assert.match(found.ok ? 'found' : found.error, error);
    });
  }
});
