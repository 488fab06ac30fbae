// Filters of system calls on the kernel of this machine. Needs root and libseccomp.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import {
  type ChildRequest,
  type LinuxPlan,
  MAX_SECCOMP_INSTRUCTIONS,
  type ProcessEnd,
  type SeccompAction,
  type SeccompCondition,
  type SeccompFilter,
  type SeccompRule,
  SHARED_LINUX,
} from '@meseta/base';
import { createSeccompCompiler } from './seccomp.js';
import { children, endOf } from './testing/children.js';

const compiler = createSeccompCompiler();
const kernel = { skip: process.getuid?.() !== 0 ? 'needs root' : !compiler.ok && compiler.error };

const root = mkdtempSync(`${tmpdir()}/meseta-seccomp-`);
chmodSync(root, 0o777);
after(() => rmSync(root, { recursive: true, force: true }));

const nobody = 65534;
const SIGSYS = 31;
const CAP_CHOWN = 0;
const ALLOW: SeccompAction = { kind: 'allow' };
const EPERM: SeccompAction = { kind: 'fail', errno: 1 };

const rule = (
  names: readonly string[],
  action: SeccompAction,
  conditions: readonly SeccompCondition[] = [],
): SeccompRule => ({
  names,
  action,
  conditions,
});
const filterOf = (...rules: readonly SeccompRule[]): SeccompFilter => ({
  defaultAction: ALLOW,
  architectures: [],
  rules,
});

function compiled(filter: SeccompFilter): string {
  assert.ok(compiler.ok);
  const program = compiler.value.compile(filter);
  assert.ok(program.ok, program.ok ? '' : program.error);
  return Buffer.from(program.value).toString('base64');
}

const refusalOf = (filter: SeccompFilter): string => {
  assert.ok(compiler.ok);
  const program = compiler.value.compile(filter);
  return program.ok ? 'compiled' : program.error;
};

let count = 0;

function requestOf(script: string, linux: Partial<LinuxPlan>, uid: number | undefined): ChildRequest {
  const { dev, ino } = statSync(root);
  return {
    program: '/bin/sh',
    argv: ['sh', '-c', `(${script}) >out-${++count} 2>&1`],
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    directory: { path: root, identity: `${dev}:${ino}` },
    output: 'discarded',
    user: uid === undefined ? undefined : { uid, groups: [uid] },
    limits: [],
    cgroups: [],
    record: undefined,
    linux: { ...SHARED_LINUX, ...linux },
  };
}

/** What a script writes in a process with the plan. */
async function run(script: string, linux: Partial<LinuxPlan>, uid?: number): Promise<string> {
  const started = children.start(requestOf(script, linux, uid));
  assert.ok(started.ok, started.ok ? '' : started.error);
  const path = `${root}/out-${count}`;
  await endOf(started.value.pid);
  return readFileSync(path, 'utf8');
}

const noDirectories = (): string => compiled(filterOf(rule(['mkdir', 'mkdirat'].filter(isKnown), EPERM)));
/** arm64 has no `mkdir`; libseccomp knows the name there too. */
function isKnown(name: string): boolean {
  return refusalOf(filterOf(rule([name], EPERM))) === 'compiled';
}

const STATUS = 'grep -E "^(Cap(Inh|Prm|Eff|Amb)|Seccomp|NoNewPrivs):" /proc/self/status | tr -s "\\t\\n" "  "';
const both = { effective: [CAP_CHOWN], bounding: [CAP_CHOWN, 13] };

test('a forbidden system call fails, for root and for other users, with and without no_new_privs', kernel, async () => {
  const seccomp = noDirectories();
  for (const uid of [undefined, nobody]) {
    for (const noNewPrivileges of [false, true]) {
      for (const capabilities of [undefined, both]) {
        const plan = { noNewPrivileges, capabilities, namespaces: [] };
        const name = `d-${uid}-${noNewPrivileges}-${capabilities !== undefined}`;
        const seen = await run(`mkdir ${name}; echo written`, { ...plan, seccomp }, uid);
        assert.match(seen, /mkdir: .*Operation not permitted\nwritten\n$/, name);
        assert.equal(await run(`mkdir ${name} && echo made`, plan, uid), 'made\n');
      }
    }
  }
});

test('CAPABILITY-STEPS-1: with a filter a process has the same capabilities as without one', kernel, async () => {
  const seccomp = noDirectories();
  for (const uid of [undefined, nobody]) {
    for (const capabilities of [undefined, both, { effective: [], bounding: [] }]) {
      for (const noNewPrivileges of [false, true]) {
        const plan = { noNewPrivileges, capabilities };
        const without = await run(STATUS, plan, uid);
        assert.match(without, /Seccomp: 0/);
        assert.equal(await run(STATUS, { ...plan, seccomp }, uid), without.replace('Seccomp: 0', 'Seccomp: 2'));
      }
    }
  }
});

async function endWith(filter: SeccompFilter, script: string): Promise<ProcessEnd | string> {
  const request = { ...requestOf('', { seccomp: compiled(filter) }, undefined), argv: ['sh', '-c', script] };
  const started = children.start(request);
  return started.ok ? endOf(started.value.pid) : started.error;
}

test(
  'actions: killed by SIGSYS, another error number, logged; a process without execve is not started',
  kernel,
  async () => {
    const mkdir = ['mkdir', 'mkdirat'];
    const script = 'exec mkdir made';
    const signaled = { kind: 'signaled', signal: SIGSYS };
    for (const kind of ['killThread', 'killProcess', 'trap'] as const) {
      assert.deepEqual(await endWith(filterOf(rule(mkdir, { kind })), script), signaled, kind);
    }
    const ENOSPC = 28;
    const full = compiled(filterOf(rule(mkdir, { kind: 'fail', errno: ENOSPC })));
    assert.match(await run('mkdir made', { seccomp: full }), /No space left/);
    assert.equal(
      await run('mkdir logged && echo made', { seccomp: compiled(filterOf(rule(mkdir, { kind: 'log' }))) }),
      'made\n',
    );
    const exited = { kind: 'exited', code: 126 };
    assert.deepEqual(await endWith(filterOf(rule(['execve'], EPERM)), script), exited);
    assert.deepEqual(await endWith(filterOf(rule(['execve'], { kind: 'killProcess' })), script), signaled);
    const nothing: SeccompFilter = { defaultAction: EPERM, architectures: [], rules: [] };
    assert.equal(await endWith(nothing, script), 'Failed to execute /bin/sh: Operation not permitted');
    assert.deepEqual(await endWith({ ...nothing, defaultAction: { kind: 'killProcess' } }, script), signaled);
  },
);

test('a rule applies where all conditions on the arguments are met', kernel, async () => {
  // The mode is the third argument.
  const on = (comparison: SeccompCondition['comparison'], value: number, second = 0): SeccompCondition => ({
    index: 2,
    comparison,
    value,
    second,
  });
  const modes = [0o600, 0o640, 0o700];
  const table: readonly [readonly SeccompCondition[], readonly number[]][] = [
    [[], modes],
    [[on('equal', 0o640)], [0o640]],
    [[on('notEqual', 0o640)], [0o600, 0o700]],
    [[on('less', 0o640)], [0o600]],
    [[on('lessOrEqual', 0o640)], [0o600, 0o640]],
    [[on('greater', 0o640)], [0o700]],
    [[on('greaterOrEqual', 0o640)], [0o640, 0o700]],
    [[on('maskedEqual', 0o100, 0o100)], [0o700]],
    [[on('maskedEqual', 0o100, 0)], [0o600, 0o640]],
    [[on('equal', 0o640), { index: 0, comparison: 'equal', value: 0, second: 0 }], []],
    // The directory, -100, is a number of 64 bits or of 32.
    [[on('equal', 0o640), { index: 0, comparison: 'maskedEqual', value: 0xffffffff, second: 0xffffff9c }], [0o640]],
  ];
  const script = `touch file; for mode in ${modes.map((mode) => mode.toString(8)).join(' ')}; do chmod $mode file 2>/dev/null || echo $mode; done`;
  for (const [row, [conditions, forbidden]] of table.entries()) {
    const seccomp = compiled(filterOf(rule(['fchmodat'], EPERM, conditions)));
    const expected = forbidden.map((mode) => `${mode.toString(8)}\n`).join('');
    assert.equal(await run(script, { seccomp }), expected, `row ${row}`);
  }
});

test('what libseccomp or the kernel does not take is refused by its name', kernel, () => {
  const condition: SeccompCondition = { index: 6, comparison: 'equal', value: 0, second: 0 };
  const first: SeccompCondition = { ...condition, index: 0 };
  const many = Array.from({ length: 1500 }, (_, value) =>
    rule(['ioctl'], EPERM, [{ ...first, value: value * (2 ** 32 + 1) }]),
  );
  const table: readonly [SeccompFilter, RegExp][] = [
    [
      filterOf(rule(['mkdir', 'no_such_call'], EPERM)),
      /^"no_such_call" is no system call that libseccomp\.so\.2 knows$/,
    ],
    [filterOf(rule(['mkdir'], ALLOW)), /^"mkdir": a rule has the default action$/],
    [filterOf(rule(['mkdir'], EPERM, [condition])), /^"mkdir": Invalid argument$/],
    [{ ...filterOf(), architectures: ['no_such'] }, /^architecture no_such: /],
    [filterOf(...many), new RegExp(`has \\d+ instructions, the kernel takes at most ${MAX_SECCOMP_INSTRUCTIONS}`)],
  ];
  for (const [filter, expected] of table) assert.match(refusalOf(filter), expected);
});
