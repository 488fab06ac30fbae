// A store with real files, connections and unpacking, whose helper runs in this process.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ContainerId, Result } from '@meseta/base';
import { seededRandom } from '@meseta/base';
import { readBlob } from '@meseta/platform/blobs';
import { createFiles } from '@meseta/platform/files';
import { createOutbound } from '@meseta/platform/outbound';
import { createProcesses } from '@meseta/platform/processes';
import { openTree } from '@meseta/platform/trees';
import { type Credentials, NO_CREDENTIALS } from '../credentials.js';
import { handleHelperRequest } from '../helper.js';
import type { ImageHelper } from '../helper-client.js';
import { createMounts } from '../mounts.js';
import { createPuller, type PullerOptions } from '../puller.js';
import { parseReference } from '../references.js';
import { type ImageStore, openImageStore, type StoredImage } from '../store.js';

export const files = createFiles();

export const helper: ImageHelper = {
  run: async (request) => (await handleHelperRequest({ openTree, readBlob, sync: () => {} }, request)) as never,
};

export function scratchDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'images-'));
  t.after(async () => {
    // What a failed test has mounted.
    await createMounts(files, createProcesses()).unmountAll(path);
    rmSync(path, { recursive: true });
  });
  return path;
}

/** Timers that fire at once, so that pauses between attempts take no time. */
const clock: PullerOptions['clock'] = {
  setTimer(_delayMs, callback) {
    const timer = setImmediate(callback);
    return () => clearImmediate(timer);
  },
};

export interface TestStore {
  readonly store: ImageStore;
  readonly directory: string;
  get(
    name: string,
    options?: {
      readonly cached?: boolean;
      readonly credentials?: Credentials;
      readonly container?: string;
      readonly signal?: AbortSignal;
    },
  ): Promise<Result<StoredImage, string>>;
}

export async function openTestStore(
  t: TestContext,
  options: Partial<PullerOptions>,
  directory: string = join(scratchDirectory(t), 'store'),
): Promise<TestStore> {
  const pull = createPuller({
    outbound: createOutbound(),
    clock,
    random: seededRandom(1),
    stallTimeoutMs: 5000,
    files,
    helper,
    registry: '/nowhere',
    platform: { os: 'linux', architecture: 'amd64' },
    limits: { maxBytes: 64 * 2 ** 20, maxEntries: 10_000 },
    ...options,
  });
  const opened = await openImageStore(directory, files, pull);
  assert.ok(opened.ok, opened.ok ? '' : opened.error);
  return {
    store: opened.value,
    directory,
    async get(name, { cached = true, credentials = NO_CREDENTIALS, container = 'c', signal } = {}) {
      const reference = parseReference(name);
      assert.ok(reference.ok);
      return opened.value.get({
        reference: reference.value,
        cached,
        credentials,
        containerId: container as ContainerId,
        signal: signal ?? new AbortController().signal,
      });
    },
  };
}
