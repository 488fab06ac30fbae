import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { it } from 'node:test';
import { type ContainerId, seededRandom } from '@meseta/base';
import { realClock } from '@meseta/platform';
import { createOutbound } from '@meseta/platform/outbound';
import { createProcesses } from '@meseta/platform/processes';
import { openImages } from './images.js';
import { files, scratchDirectory } from './testing/store.js';

it('an error that quotes a document of a registry is cut, as it becomes the message of a status', async (t) => {
  const directory = scratchDirectory(t);
  const server = createServer((_, response) => response.end(JSON.stringify({ schemaVersion: 'x'.repeat(2 ** 20) })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => server.close());
  const options = {
    storeDir: join(directory, 'store'),
    rootsDir: join(directory, 'roots'),
    registry: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dockerConfig: undefined,
    stallTimeoutMs: 1000,
    maxImageBytes: 2 ** 20,
    maxImageEntries: 100,
    backend: 'copy' as const,
    gc: undefined,
    sandboxDirectory: '/sandbox',
    ignoreRuntime: false,
    architecture: process.arch,
    helper: { program: '/bin/false', arguments: [] },
  };
  const outside = { outbound: createOutbound(), clock: realClock, random: seededRandom(1), warn: () => {} };
  const pulls: number[] = [];
  const onPulled = (durationMs: number): void => void pulls.push(durationMs);
  const images = await openImages(options, { files, processes: createProcesses(), ...outside, onPulled });
  assert.ok(images.ok, images.ok ? '' : images.error);
  t.after(() => images.value.close());
  const use = { keepsPrivileges: false, signal: new AbortController().signal };
  const image = { type: 'DOCKER' as const, docker: { name: 'app' } };
  const provisioned = await images.value.provision(image, 'c' as ContainerId, use);
  const error = provisioned.ok ? '' : provisioned.error;
  assert.match(error, /^image app:latest: manifest\.schemaVersion: expected 2, got "x{100}/);
  assert.equal(error.length, 2003);
  assert.equal(pulls.length, 1);
});
