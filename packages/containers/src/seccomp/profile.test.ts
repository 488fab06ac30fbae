import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, type SeccompCondition } from '@meseta/base';
import { filterFor, parseProfile } from './profile.js';

const host = { architecture: 'x86_64', release: '6.1.0-18-amd64' };
const CHOWN = 0;
const SYS_ADMIN = 21;

const rule = (changes: object = {}) => ({
  names: ['mkdir'],
  action: 'SCMP_ACT_ERRNO',
  args: [],
  includes: {},
  excludes: {},
  ...changes,
});
const profileOf = (changes: object = {}): string =>
  JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', archMap: [], syscalls: [], ...changes });

function filterOf(text: string, bounding: readonly number[] = []) {
  const parsed = parseProfile(text, host);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error);
  return filterFor(parsed.value, bounding);
}

const problemOf = (text: string): string => {
  const parsed = parseProfile(text, host);
  return parsed.ok ? 'parsed' : parsed.error;
};

test('a profile of Mesos: actions, the architectures of this machine, conditions on arguments', () => {
  const args = [{ index: 0, value: 2080505856, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }];
  const text = profileOf({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    ],
    syscalls: [
      rule({ names: ['accept', 'writev'], action: 'SCMP_ACT_ALLOW', comment: '' }),
      rule({
        names: ['clone'],
        action: 'SCMP_ACT_KILL',
        args,
        includes: { arches: ['amd64'] },
        excludes: { arches: ['s390'] },
      }),
    ],
  });
  const condition: SeccompCondition = { index: 0, comparison: 'maskedEqual', value: 2080505856, second: 0 };
  assert.deepEqual(filterOf(text), {
    defaultAction: { kind: 'fail', errno: 1 },
    architectures: ['x86_64', 'x86', 'x32'],
    rules: [
      { names: ['accept', 'writev'], action: { kind: 'allow' }, conditions: [] },
      { names: ['clone'], action: { kind: 'killThread' }, conditions: [condition] },
    ],
  });
});

test('a current profile of Docker: empty lists are missing, error numbers and kernels are named', () => {
  const text = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    archMap: [{ architecture: 'SCMP_ARCH_RISCV64', subArchitectures: null }],
    syscalls: [
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 11, excludes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
      { names: ['fsopen'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '6.2' } },
      { names: ['fsmount'], action: 'SCMP_ACT_LOG', excludes: { minKernel: '5.10' } },
      { names: ['bpf'], action: 'SCMP_ACT_KILL_PROCESS', excludes: { minKernel: '10.0' } },
    ],
  });
  const { defaultAction, rules } = filterOf(text);
  assert.deepEqual(defaultAction, { kind: 'fail', errno: 38 });
  assert.deepEqual(
    rules.map(({ names, action }) => [names[0], action]),
    [
      ['clone3', { kind: 'fail', errno: 11 }],
      ['ptrace', { kind: 'allow' }],
      ['bpf', { kind: 'killProcess' }],
    ],
  );
});

test('a rule is in force where the bounding set has all capabilities that it includes and none that it excludes', () => {
  const included = { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] };
  const excluded = { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] };
  const text = profileOf({
    syscalls: [
      rule({ names: ['a'], includes: included }),
      rule({ names: ['b'], excludes: excluded }),
      rule({ names: ['c'] }),
    ],
  });
  const table: readonly (readonly [readonly number[], string])[] = [
    [[], 'b c'],
    [[CHOWN], 'c'],
    [[SYS_ADMIN, CHOWN], 'a c'],
    [[5], 'b c'],
  ];
  for (const [bounding, names] of table) {
    assert.equal(
      filterOf(text, bounding)
        .rules.map(({ names: [name] }) => name)
        .join(' '),
      names,
      bounding.join(),
    );
  }
});

test('rules of other architectures are left out; an empty list of architectures includes none, as in Mesos', () => {
  const selections: readonly (readonly [object, boolean])[] = [
    [{}, true],
    [{ includes: { arches: ['arm64'] } }, false],
    [{ includes: { arches: ['arm64', 'amd64'] } }, true],
    [{ includes: { arches: [] } }, false],
    [{ excludes: { arches: ['arm64'] } }, true],
    [{ excludes: { arches: ['arm64', 'amd64'] } }, false],
    [{ excludes: { arches: [] } }, true],
  ];
  for (const [selection, isInForce] of selections) {
    const { rules } = filterOf(profileOf({ syscalls: [rule(selection)] }));
    assert.equal(rules.length, isInForce ? 1 : 0, JSON.stringify(selection));
  }
});

test('PROFILE-1: what is not understood is refused with its place', () => {
  const arg = (changes: object) => rule({ args: [{ index: 0, value: 1, valueTwo: 0, op: 'SCMP_CMP_EQ', ...changes }] });
  const inRule = (changes: object): string => profileOf({ syscalls: [rule(), rule(changes)] });
  const table: readonly (readonly [string, RegExp])[] = [
    ['', /^expected JSON/],
    ['[]', /^expected a JSON object/],
    ['[['.repeat(20_000), /^expected at most 32 lists and objects in each other/],
    [' '.repeat(LIMITS.seccompProfile.most + 1), /^expected at most 262144 bytes/],
    [profileOf({ defaultAction: undefined }), /^defaultAction: expected one of SCMP_ACT_KILL, .*, got nothing/],
    [profileOf({ defaultAction: 'SCMP_ACT_ALLOWED' }), /^defaultAction: .*, got "SCMP_ACT_ALLOWED"/],
    [profileOf({ defaultAction: 'constructor' }), /^defaultAction: /],
    [profileOf({ defaultAction: 'SCMP_ACT_NOTIFY' }), /^defaultAction: /],
    [profileOf({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 0 }), /^defaultErrnoRet: .* from 1 to 4095, got 0/],
    [profileOf({ archMap: undefined }), /^archMap: expected a list, got nothing/],
    [profileOf({ archMap: {} }), /^archMap: expected a list/],
    [profileOf({ archMap: ['x'] }), /^archMap\[0\]: expected an object/],
    [profileOf({ archMap: [{}] }), /^archMap\[0\]\.architecture: expected one of SCMP_ARCH_X86, /],
    [
      profileOf({ archMap: [{ architecture: 'SCMP_ARCH_S390', subArchitectures: ['SCMP_ARCH_BUG'] }] }),
      /^archMap\[0\]\.subArchitectures\[0\]: .*, got "SCMP_ARCH_BUG"/,
    ],
    [profileOf({ syscalls: undefined }), /^syscalls: expected a list, got nothing/],
    [profileOf({ syscalls: [1] }), /^syscalls\[0\]: expected an object/],
    [
      profileOf({ syscalls: Array(LIMITS.seccompRules.most + 1).fill(1) }),
      /^syscalls: expected at most 1000 items, got 1001/,
    ],
    [inRule({ names: undefined }), /^syscalls\[1\]\.names: expected system calls, got nothing/],
    [inRule({ names: [] }), /^syscalls\[1\]\.names: expected system calls/],
    [inRule({ names: [1] }), /^syscalls\[1\]\.names\[0\]: expected a text, got 1/],
    [inRule({ names: Array(LIMITS.seccompNames.most + 1).fill('a') }), /^syscalls\[1\]\.names: expected at most 1000/],
    [inRule({ action: undefined }), /^syscalls\[1\]\.action: expected one of/],
    [inRule({ errnoRet: 4096 }), /^syscalls\[1\]\.errnoRet: /],
    [inRule({ includes: [] }), /^syscalls\[1\]\.includes: expected an object/],
    [inRule({ includes: { arches: ['pdp11'] } }), /^syscalls\[1\]\.includes\.arches\[0\]: .*, got "pdp11"/],
    [inRule({ excludes: { caps: ['CHOWN'] } }), /^syscalls\[1\]\.excludes\.caps\[0\]: .*CAP_CHOWN, got "CHOWN"/],
    [inRule({ excludes: { caps: ['CAP_FLY'] } }), /^syscalls\[1\]\.excludes\.caps\[0\]: .*, got "CAP_FLY"/],
    [inRule({ includes: { minKernel: 'new' } }), /^syscalls\[1\]\.includes\.minKernel: expected a version/],
    [inRule({ args: {} }), /^syscalls\[1\]\.args: expected a list/],
    [inRule({ args: [1] }), /^syscalls\[1\]\.args\[0\]: expected an object/],
    [profileOf({ syscalls: [arg({ index: undefined })] }), /^syscalls\[0\]\.args\[0\]\.index: .*, got nothing/],
    [
      profileOf({ syscalls: [arg({ index: 6 })] }),
      /^syscalls\[0\]\.args\[0\]\.index: expected a whole number from 0 to 5/,
    ],
    [
      profileOf({ syscalls: [arg({ value: -1 })] }),
      /^syscalls\[0\]\.args\[0\]\.value: expected a whole number from 0 to/,
    ],
    [profileOf({ syscalls: [arg({ value: 2 ** 53 })] }), /^syscalls\[0\]\.args\[0\]\.value: .* to 9007199254740991/],
    [profileOf({ syscalls: [arg({ valueTwo: 0.5 })] }), /^syscalls\[0\]\.args\[0\]\.valueTwo: /],
    [
      profileOf({ syscalls: [arg({ op: 'SCMP_CMP_LIKE' })] }),
      /^syscalls\[0\]\.args\[0\]\.op: expected one of SCMP_CMP_NE, /,
    ],
    [
      profileOf({ syscalls: [rule({ args: [...arg({}).args, ...arg({}).args] })] }),
      /^syscalls\[0\]\.args: the argument 0 has two/,
    ],
  ];
  for (const [text, expected] of table) assert.match(problemOf(text), expected);
});
