import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok, type Processes, type ProcessRequest } from '@meseta/base';
import { createProcesses } from '@meseta/platform/processes';
import { createUserLookup } from './users.js';

/** A machine whose `id` has these users, and accepts numbers as the real one does. */
function machineWith(users: Readonly<Record<string, number>>, asked: ProcessRequest[] = []): Processes {
  return {
    ...createProcesses(),
    run: async (request) => {
      asked.push(request);
      const [option, , name = ''] = request.arguments;
      const uid = users[name] ?? (/^[+ ]*\d+$/.test(name) ? Number(name) : undefined);
      const [first] = Object.entries(users).find(([, it]) => it === uid) ?? [];
      const answer = option === '-un' ? first : uid === undefined ? undefined : option === '-G' ? `${uid} 8` : `${uid}`;
      const code = answer === undefined ? 1 : 0;
      return ok({ end: { kind: 'exited', code }, stdout: `${answer ?? ''}\n`, stderr: '', timedOut: false });
    },
  };
}

test('lookups of one user at the same time share one; a user that was missing is looked up again', async () => {
  const asked: ProcessRequest[] = [];
  const users: Record<string, number> = { alice: 7 };
  const find = createUserLookup(machineWith(users, asked));
  const found = await Promise.all(Array.from({ length: 10 }, () => find('alice')));
  for (const user of found) assert.deepEqual(user, ok({ name: 'alice', uid: 7, gid: 7, groups: [7, 8] }));
  assert.equal(asked.length, 4);
  assert.equal((await find('newcomer')).ok, false);
  users['newcomer'] = 9;
  assert.equal((await find('newcomer')).ok, true);
});

test('USERS-2: a user is looked up again after a time: one whose uid belongs to another user by then is refused', async () => {
  let nowMs = 0;
  const users: Record<string, number> = { alice: 7 };
  const find = createUserLookup(machineWith(users), () => nowMs);
  assert.equal((await find('alice')).ok, true);
  delete users['alice'];
  users['newcomer'] = 7;
  nowMs = 599_999;
  assert.equal((await find('alice')).ok, true);
  nowMs = 600_000;
  assert.equal((await find('alice')).ok, false);
});

test('USERS-1: a user is a name that its uid maps back to; numbers, second names of a uid and options are refused', async () => {
  const find = createUserLookup(machineWith({ root: 0, toor: 0, nobody: 65534, '12': 12 }));
  for (const name of ['root', 'nobody']) assert.ok((await find(name)).ok, name);
  const refused = [
    '',
    '0',
    '+0',
    ' 0',
    '00',
    'root ',
    ' root',
    'root\n',
    '12',
    '65534',
    '-u',
    '+root',
    '~root',
    'a:b',
    'a/b',
  ];
  for (const name of [...refused, 'toor', 'nobody-knows', 'n'.repeat(300)]) {
    const found = await find(name);
    assert.ok(!found.ok, name);
    assert.match(found.error, /^user "/);
  }
});

test('USERS-1: on this machine no number is a user', { skip: process.getuid?.() !== 0 }, async () => {
  const find = createUserLookup(createProcesses());
  assert.deepEqual(await find('root'), ok({ name: 'root', uid: 0, gid: 0, groups: [0] }));
  for (const name of ['0', '+0', ' 0', '00']) assert.equal((await find(name)).ok, false, name);
});
