import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { type ContainerId, present } from '@meseta/base';
import type { RLimitInfoRLimit } from '@meseta/wire';
import fc from 'fast-check';
import { exitStatus, parseRecord } from '../supervisor/exit-record.js';
import { perlSupervision } from '../supervisor/perl.js';
import { shellSupervision } from '../supervisor/shell.js';
import { shellWords } from '../supervisor/shell-quote.js';
import type { ContainerSpec } from '../types.js';
import { type LaunchLimits, type LaunchPlan, type LaunchTools, launchPlan } from './plan.js';
import { parseLimits, rlimitArgv } from './rlimits.js';

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
  perlSupervises: false,
};
const byPerl: LaunchTools = { ...tools, setsid: undefined, perl: '/bin/perl', perlSupervises: true };
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
const owner = { name: 'nobody', uid: 9, gid: 9, groups: [9] };

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

const refusals: readonly [string, Partial<ContainerSpec>, RegExp][] = [
  ['no command', { command: {} }, /command\.value/],
  ['a name for a variable', { environment: { 'a=b': 'c' } }, /environment: "a=b"/],
  ['NUL', { environment: { a: 'b\0c' } }, /NUL/],
  ['one limit only', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE', soft: 1 }] } }, /RLMT_NOFILE: expected both/],
  ['soft above hard', { rlimits: { rlimits: [{ type: 'RLMT_CPU', soft: 2, hard: 1 }] } }, /soft limit 2 is above/],
  ['raised', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE', soft: 1, hard: 101 }] } }, /CAP_SYS_RESOURCE/],
  ['unlimited', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE' }] } }, /unlimited is above the agent's own/],
  ['no shell has it', { rlimits: { rlimits: [{ type: 'RLMT_NICE', soft: 1, hard: 1 }] } }, /needs prlimit/],
];

test('PLAN-2: what can not be carried out exactly is refused with its reason', () => {
  for (const [name, changes, expected] of refusals) {
    for (const given of [tools, byPerl]) {
      const plan = launchPlan({ ...spec, ...changes }, '1:2', undefined, given, limits);
      assert.equal(plan.ok, false, name);
      if (!plan.ok) assert.match(plan.error, expected, name);
    }
  }
});

test('limits: by prlimit in bytes, by the shell in its units', () => {
  const wanted: RLimitInfoRLimit[] = [{ type: 'RLMT_NOFILE', soft: 10, hard: 20 }];
  const byTool = rlimitArgv(wanted, limits, { ...tools, prlimit: '/bin/prlimit' });
  assert.deepEqual(byTool, { ok: true, value: ['/bin/prlimit', '--nofile=10:20', '--'] });
  const byShell = rlimitArgv([...wanted, { type: 'RLMT_STACK', soft: 1048576, hard: 2097152 }], limits, tools);
  assert.ok(byShell.ok);
  const [program = '', ...words] = byShell.value;
  const shown = execFileSync(program, [...words, 'sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -Ss; ulimit -Hs']);
  assert.equal(shown.toString(), '10\n20\n1024\n2048\n');
  assert.deepEqual(rlimitArgv([], limits, tools), { ok: true, value: [] });
  const listed = parseLimits(
    'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   unlimited   files\n',
  );
  assert.deepEqual(listed.get('Max open files'), { soft: 1024, hard: Infinity });
});

const stat = '7 (a) b) S 3 7 5 0 -1 0 0 0 0 0 11 12 0 0 20 0 4 0 99 0 8';

const endings: readonly [string, ReturnType<typeof parseRecord>['end']][] = [
  ['Killed\nended 137\n', { kind: 'shell', code: 137, said: true }],
  ['ended 137\n', { kind: 'shell', code: 137, said: false }],
  ['status exited 137\n', { kind: 'exact', status: { kind: 'exited', code: 137 } }],
  ['status signaled 9\n', { kind: 'exact', status: { kind: 'signaled', signal: 9 } }],
];

test('a record is only believed where its lines are complete', () => {
  for (const [lines, end] of endings) {
    const whole = `first ${stat}\n${lines}`;
    const read = parseRecord(whole);
    const { pid, parent, session, startTicks } = present(read.first, 'first');
    assert.deepEqual([pid, parent, session, startTicks], [7, 3, 5, 99]);
    assert.deepEqual(read.end, end);
    for (let length = 0; length < whole.length; length++)
      assert.equal(parseRecord(whole.slice(0, length)).end, undefined);
  }
});

test("a shell's code above 128 is a signal when it said so, or for the silent ones when the agent sent it", () => {
  const sent = new Set([2, 9]);
  const status = (code: number, said: boolean, known = sent) => exitStatus({ kind: 'shell', code, said }, known);
  assert.deepEqual(status(137, true, new Set()), { kind: 'signaled', signal: 9 });
  assert.deepEqual(status(137, false), { kind: 'exited', code: 137 });
  assert.deepEqual(status(130, false), { kind: 'signaled', signal: 2 });
  assert.deepEqual(status(130, false, new Set()), { kind: 'exited', code: 130 });
  assert.deepEqual(status(1, true), { kind: 'exited', code: 1 });
  assert.deepEqual(status(255, true), { kind: 'exited', code: 255 });
  assert.deepEqual(exitStatus({ kind: 'exact', status: { kind: 'exited', code: 130 } }, sent), {
    kind: 'exited',
    code: 130,
  });
});

const secret = 'hunter2 of the environment';

const planned = (extra: Partial<ContainerSpec>, as?: typeof owner, given = tools): LaunchPlan => {
  const plan = launchPlan({ ...spec, environment: { A: secret }, ...extra }, '1:2', as, given, limits);
  assert.ok(plan.ok);
  return plan.value;
};

test('PLAN-3, PLAN-4: no program on the way to a command has its environment, or has it among its arguments', () => {
  const machine = { ...tools, setpriv: '/bin/setpriv', prlimit: '/bin/prlimit' };
  const rlimits = { rlimits: [{ type: 'RLMT_NOFILE' as const, soft: 10, hard: 20 }] };
  for (const supervision of [perlSupervision('/bin/perl'), shellSupervision(machine)]) {
    for (const plan of [planned({}), planned({}, owner), planned({ rlimits }, owner, machine)]) {
      const becoming = supervision.becoming(plan);
      assert.ok(becoming.ok);
      assert.ok(becoming.value.input.includes(secret));
      assert.equal([becoming.value.program, ...becoming.value.arguments].join(' ').includes(secret), false);
    }
  }
  const text = shellSupervision(machine).planText(planned({ rlimits }, owner, machine));
  assert.ok(text.ok);
  const command = present(
    text.value.split('\n').find((line) => line.includes('setpriv')),
    'the command',
  );
  assert.equal(command.includes(secret), false);
  assert.match(
    command,
    /^exec '\/bin\/setsid' '\/bin\/prlimit' .*'\/bin\/setpriv' .*'\/bin\/env' '-i' '--' '\/bin\/sh' '-s' <</,
  );
});

test('PLAN-1: what a task names can not end the text that its shell reads, nor be evaluated', () => {
  const values = [
    'END',
    '\nEND\ntouch /evil\n',
    "'\nEND\n'; touch /evil; '",
    '$(touch /evil)',
    '`touch /evil`',
    "it's\n\\end\n",
  ];
  const sh = { ...tools, setsid: undefined, env: execFileSync('/bin/sh', ['-c', 'command -v env']).toString().trim() };
  const supervision = shellSupervision(sh);
  for (const value of values) {
    const directory = mkdtempSync(`${tmpdir()}/meseta-plan-`);
    try {
      const command = {
        shell: false,
        value: '/bin/sh',
        arguments: ['sh', '-c', 'printf %s "$A"; printf %s "$1"', 'x', value],
      };
      const text = supervision.planText(
        planned({ sandbox: directory, environment: { A: value }, command }, undefined, sh),
      );
      assert.ok(text.ok);
      writeFileSync(`${directory}/plan`, text.value);
      execFileSync('/bin/sh', [`${directory}/plan`]);
      assert.equal(readFileSync(`${directory}/stdout`, 'utf8'), value + value);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
});

const shellRefusals: readonly [string, LaunchPlan, RegExp][] = [
  [
    "a program's name without a tool",
    planned({ command: { shell: false, value: '/bin/busybox', arguments: ['ls'] } }),
    /perl or bash/,
  ],
  ['another user without a tool', planned({}, owner), /user "nobody": neither setpriv nor su/],
  [
    'a variable that is no name for a shell',
    planned({ environment: { 'a.b': 'c' } }),
    /environment: the name "a.b" needs perl/,
  ],
];

test('PLAN-2: what a shell can not carry out exactly is refused, and perl does it', () => {
  for (const [name, plan, expected] of shellRefusals) {
    const text = shellSupervision(tools).planText(plan);
    assert.ok(!text.ok, name);
    assert.match(text.error, expected);
    assert.equal(shellSupervision(tools).becoming(plan).ok, false);
    assert.ok(perlSupervision('/bin/perl').planText(plan).ok);
  }
});
