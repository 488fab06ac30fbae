// A real registry on loopback for tests (Debian's package docker-registry), and images that are made here.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';

const PROGRAM = '/usr/bin/docker-registry';
export const hasRegistry = existsSync(PROGRAM) && process.getuid?.() === 0;

export const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

export interface TestRegistry {
  readonly origin: string;
  /** What it has logged. */
  log(): string;
}

/** Starts a registry; `auth` is the part of its configuration. It ends with the test. */
export async function startRegistry(t: TestContext, auth: object = {}): Promise<TestRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'registry-'));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const configuration = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(Object.keys(auth).length === 0 ? {} : { auth }),
  };
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(configuration));
  const child = spawn(PROGRAM, ['serve', join(directory, 'config.yml')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      log += part.toString();
    });
  }
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true });
  });
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${origin}/v2/`).catch(() => undefined);
    if (answer !== undefined) break;
    if (attempt > 400 || child.exitCode !== null) throw new Error(`the registry did not start: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { origin, log: () => log };
}

export interface Blob {
  readonly digest: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

const blobOf = (bytes: Uint8Array): Blob => ({ digest: sha256(bytes), size: bytes.length, bytes });

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

export interface TestImage {
  readonly blobs: readonly Blob[];
  readonly manifest: Uint8Array;
  readonly mediaType: string;
}

/** An image of layers, which are tar archives. */
export function imageOf(
  layers: readonly Uint8Array[],
  config: object,
  kind: 'oci' | 'docker' = 'oci',
  wrong: { readonly diffIds?: readonly string[] } = {},
): TestImage {
  const packed = layers.map((layer) => blobOf(gzipSync(layer)));
  const description = {
    architecture: 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: wrong.diffIds ?? layers.map(sha256) },
  };
  const configuration = blobOf(Buffer.from(JSON.stringify(description)));
  const types =
    kind === 'oci'
      ? { manifest: `${OCI}.manifest.v1+json`, config: `${OCI}.config.v1+json`, layer: `${OCI}.layer.v1.tar+gzip` }
      : {
          manifest: `${DOCKER}.distribution.manifest.v2+json`,
          config: `${DOCKER}.container.image.v1+json`,
          layer: `${DOCKER}.image.rootfs.diff.tar.gzip`,
        };
  const descriptor = ({ digest, size }: Blob, mediaType: string) => ({ mediaType, digest, size });
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(configuration, types.config),
    layers: packed.map((blob) => descriptor(blob, types.layer)),
  };
  return {
    blobs: [configuration, ...packed],
    manifest: Buffer.from(JSON.stringify(manifest)),
    mediaType: types.manifest,
  };
}

type Headers = { readonly [name: string]: string };

async function expectOk(answer: Response, what: string): Promise<Response> {
  if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function pushManifest(url: string, manifest: Uint8Array, mediaType: string, headers: Headers): Promise<void> {
  const request = { method: 'PUT', headers: { ...headers, 'content-type': mediaType }, body: manifest };
  await expectOk(await fetch(url, request), 'manifest');
}

/** Pushes an image under a tag. */
export async function push(
  origin: string,
  repository: string,
  tag: string,
  image: TestImage,
  headers: Headers = {},
): Promise<void> {
  for (const { digest, bytes } of image.blobs) {
    const begun = await expectOk(
      await fetch(`${origin}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers }),
      'upload',
    );
    const location = new URL(begun.headers.get('location') ?? '', origin);
    location.searchParams.set('digest', digest);
    const upload = {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: bytes,
    };
    await expectOk(await fetch(location, upload), 'blob');
  }
  await pushManifest(`${origin}/v2/${repository}/manifests/${tag}`, image.manifest, image.mediaType, headers);
}

export interface PlatformImage {
  readonly image: TestImage;
  readonly os: string;
  readonly architecture: string;
}

/** Pushes images of several platforms under one tag. */
export async function pushIndex(
  origin: string,
  repository: string,
  tag: string,
  images: readonly PlatformImage[],
  kind: 'oci' | 'docker' = 'oci',
): Promise<void> {
  const manifests = [];
  for (const { image, os, architecture } of images) {
    const digest = sha256(image.manifest);
    await push(origin, repository, digest, image);
    manifests.push({ mediaType: image.mediaType, digest, size: image.manifest.length, platform: { os, architecture } });
  }
  const mediaType = kind === 'oci' ? `${OCI}.index.v1+json` : `${DOCKER}.distribution.manifest.list.v2+json`;
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  await pushManifest(`${origin}/v2/${repository}/manifests/${tag}`, index, mediaType, {});
}
