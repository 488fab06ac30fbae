import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { RLimitInfoRLimit } from '@meseta/wire';
import fc from 'fast-check';
import { exitStatus, parseRecord } from './exit-record.js';
import { type LaunchLimits, type LaunchTools, launchPlan } from './plan.js';
import { parseLimits, rlimitSteps } from './rlimits.js';
import { shellWords } from './shell-quote.js';
import type { ContainerSpec } from './types.js';

const tools: LaunchTools = {
  shell: '/bin/sh',
  setsid: '/bin/setsid',
  env: '/bin/env',
  envResetsSignals: false,
  setpriv: undefined,
  su: undefined,
  prlimit: undefined,
  bash: undefined,
  perl: undefined,
};
const limits: LaunchLimits = { current: new Map([['Max open files', { soft: 50, hard: 100 }]]), mayRaise: false };
const spec: ContainerSpec = {
  containerId: 'c' as ContainerId,
  sandbox: '/sandbox',
  user: undefined,
  command: { value: 'true' },
  environment: {},
  uris: [],
  rlimits: undefined,
  resources: [],
  container: undefined,
};
const owner = { name: 'nobody', uid: 9, gid: 9 };

test('quoted words come out of a shell as they were', () => {
  const word = fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
  const words = fc.array(word, { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, (list) => {
      const out = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${shellWords(list)}`], { encoding: 'utf8' });
      assert.deepEqual(out.split('\0').slice(0, -1), list);
    }),
    { numRuns: 30 },
  );
});

const refusals: readonly [string, Partial<ContainerSpec>, RegExp, boolean?][] = [
  ['no command', { command: {} }, /command\.value/],
  ['a name for a variable', { environment: { 'a=b': 'c' } }, /environment: "a=b"/],
  ['NUL', { environment: { a: 'b\0c' } }, /NUL/],
  [
    'another name without a tool',
    { command: { shell: false, value: '/bin/busybox', arguments: ['ls'] } },
    /perl or bash/,
  ],
  ['another user without a tool', {}, /user "nobody": neither setpriv nor su/, true],
  ['one limit only', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE', soft: 1 }] } }, /RLMT_NOFILE: expected both/],
  ['soft above hard', { rlimits: { rlimits: [{ type: 'RLMT_CPU', soft: 2, hard: 1 }] } }, /soft limit 2 is above/],
  ['raised', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE', soft: 1, hard: 101 }] } }, /CAP_SYS_RESOURCE/],
  ['unlimited', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE' }] } }, /unlimited is above the agent's own/],
  ['no shell has it', { rlimits: { rlimits: [{ type: 'RLMT_NICE', soft: 1, hard: 1 }] } }, /needs prlimit/],
];

test('what can not be carried out exactly is refused with its reason', () => {
  for (const [name, changes, expected, switched] of refusals) {
    const plan = launchPlan({ ...spec, ...changes }, switched ? owner : undefined, tools, limits);
    assert.equal(plan.ok, false, name);
    if (!plan.ok) assert.match(plan.error, expected, name);
  }
});

test('limits: by prlimit in bytes, by the shell in its units', () => {
  const wanted: RLimitInfoRLimit[] = [{ type: 'RLMT_NOFILE', soft: 10, hard: 20 }];
  const byTool = rlimitSteps(wanted, limits, '/bin/prlimit');
  assert.deepEqual(byTool, { ok: true, value: { argv: ['/bin/prlimit', '--nofile=10:20', '--'], lines: [] } });
  const byShell = rlimitSteps([...wanted, { type: 'RLMT_STACK', soft: 1048576, hard: 2097152 }], limits, undefined);
  assert.ok(byShell.ok);
  const script = `${byShell.value.lines.join('\n')}\nulimit -Sn; ulimit -Hn; ulimit -Ss; ulimit -Hs`;
  assert.equal(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }), '10\n20\n1024\n2048\n');
  const listed = parseLimits(
    'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   unlimited   files\n',
  );
  assert.deepEqual(listed.get('Max open files'), { soft: 1024, hard: Infinity });
});

const stat = '7 (a) b) S 3 7 5 0 -1 0 0 0 0 0 11 12 0 0 20 0 4 0 99 0 8';

test('a record is only believed where its lines are complete', () => {
  const whole = `first ${stat}\nKilled\nended 137\n`;
  const { first, code, said } = parseRecord(whole);
  assert.deepEqual(
    [first?.pid, first?.parent, first?.session, first?.startTicks, code, said],
    [7, 3, 5, 99, 137, true],
  );
  for (let length = 0; length < whole.length; length++)
    assert.equal(parseRecord(whole.slice(0, length)).code, undefined);
  assert.equal(parseRecord(`first ${stat}\nended 137\n`).said, false);
});

test('a code above 128 is a signal when the shell said so, or for the silent ones when the agent sent it', () => {
  const sent = new Set([2, 9]);
  assert.deepEqual(exitStatus(137, true, new Set()), { kind: 'signaled', signal: 9 });
  assert.deepEqual(exitStatus(137, false, sent), { kind: 'exited', code: 137 });
  assert.deepEqual(exitStatus(130, false, sent), { kind: 'signaled', signal: 2 });
  assert.deepEqual(exitStatus(130, false, new Set()), { kind: 'exited', code: 130 });
  assert.deepEqual(exitStatus(1, true, sent), { kind: 'exited', code: 1 });
  assert.deepEqual(exitStatus(255, true, sent), { kind: 'exited', code: 255 });
});
