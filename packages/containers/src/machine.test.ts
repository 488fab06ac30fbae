import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok, type Processes, type ProcessRequest } from '@meseta/base';
import { createProcesses } from '@meseta/platform/processes';
import { createUsers } from './machine.js';

test('those who ask for a user together share one look; a user that is not there may come later', async () => {
  const asked: ProcessRequest[] = [];
  let there = true;
  const processes: Processes = {
    ...createProcesses(),
    run: async (request) => {
      asked.push(request);
      return ok({ end: { kind: 'exited', code: there ? 0 : 1 }, stdout: '7\n', stderr: '', timedOut: false });
    },
  };
  const find = createUsers(processes);
  const found = await Promise.all(Array.from({ length: 10 }, () => find('somebody')));
  for (const user of found) assert.deepEqual(user, ok({ name: 'somebody', uid: 7, gid: 7 }));
  assert.equal(asked.length, 2);
  there = false;
  assert.equal((await find('newcomer')).ok, false);
  there = true;
  assert.equal((await find('newcomer')).ok, true);
});
