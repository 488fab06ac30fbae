// The rules of plans (plan.ts) in the texts that the two supervisors read.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { present } from '@meseta/base';
import type { LaunchPlan } from '../plan/plan.js';
import { owner, planned, secret, tools } from '../testing/plans.js';
import { perlSupervision } from './perl.js';
import { shellSupervision } from './shell.js';

test('PLAN-3, PLAN-4: no program on the way to a command gets its environment, or has it among its arguments', () => {
  const machine = { ...tools, setpriv: '/bin/setpriv', prlimit: '/bin/prlimit' };
  const rlimits = { rlimits: [{ type: 'RLMT_NOFILE' as const, soft: 10, hard: 20 }] };
  for (const supervision of [perlSupervision('/bin/perl'), shellSupervision(machine)]) {
    for (const plan of [planned({}), planned({}, owner), planned({ rlimits }, owner, machine)]) {
      const singleProcess = supervision.singleProcess(plan);
      assert.ok(singleProcess.ok);
      assert.ok(singleProcess.value.input.includes(secret));
      assert.equal([singleProcess.value.program, ...singleProcess.value.arguments].join(' ').includes(secret), false);
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

test('PLAN-1: no value of a task ends the text that its shell reads, or is evaluated', () => {
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
    "a program's own name, without a tool that sets it",
    planned({ command: { shell: false, value: '/bin/busybox', arguments: ['ls'] } }),
    /perl or bash/,
  ],
  ['another user, without a tool that switches', planned({}, owner), /user "nobody": neither setpriv nor su/],
  [
    'a variable whose name a shell does not take',
    planned({ environment: { 'a.b': 'c' } }),
    /environment: the name "a.b" needs perl/,
  ],
];

test('PLAN-2: a plan that a shell can not carry out exactly is refused, where perl carries it out', () => {
  for (const [name, plan, expected] of shellRefusals) {
    const text = shellSupervision(tools).planText(plan);
    assert.ok(!text.ok, name);
    assert.match(text.error, expected);
    assert.equal(shellSupervision(tools).singleProcess(plan).ok, false);
    assert.ok(perlSupervision('/bin/perl').planText(plan).ok);
  }
});
