import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { quantitiesOf, quantitiesToRecord } from '@meseta/resources';
import { agentResources } from './resources.js';

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'agent-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('resources that --resources leaves out are detected; those that it names are kept, also with the value 0', () =>
  inDirectory(async (directory) => {
    const files = createFiles();
    const amounts = async (text: string | undefined) => {
      const resources = await agentResources(text, '*', directory, files);
      assert(resources.ok);
      return quantitiesToRecord(quantitiesOf(resources.value));
    };
    const all = await amounts(undefined);
    assert(['cpus', 'mem', 'disk'].every((name) => (all[name] ?? 0) > 0));
    const some = await amounts('cpus:3;disk:0;gpus:1');
    assert.deepEqual([some['cpus'], some['disk'], some['gpus'], some['mem']], [3, undefined, 1, all['mem']]);
    assert.equal((await agentResources('cpus:x', '*', directory, files)).ok, false);
  }));
