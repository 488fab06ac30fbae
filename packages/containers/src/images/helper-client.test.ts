// With real processes in place of the helper.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createProcesses } from '@meseta/platform/processes';
import { createImageHelper } from './helper-client.js';

const request = {
  kind: 'copy',
  layers: [],
  target: '/',
  limits: { maxBytes: 1, maxEntries: 1 },
  keepsPrivileges: false,
};

const responseOf = async (script: string): Promise<string> => {
  const helper = createImageHelper(createProcesses(), { program: '/bin/sh', arguments: ['-c', script] });
  const answer = await helper.run(request as Parameters<typeof helper.run>[0]);
  return answer.ok ? 'ok' : answer.error;
};

it('an answer of the helper that is too long, damaged or missing is an error', async () => {
  const tooLong = `head -c 9000000 /dev/zero | tr '\\0' x`;
  assert.match(await responseOf(tooLong), /damaged, or has more than 8388608 bytes/);
  assert.match(await responseOf('echo "{"'), /damaged/);
  assert.match(await responseOf('exit 0'), /damaged/);
  assert.match(await responseOf('echo why >&2; exit 3'), /ended with the status 3: why/);
});
