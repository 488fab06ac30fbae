// The rules of starting processes, on this machine. Some need root.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import type { ChildRequest, ProcessEnd } from '@meseta/base';
import { children, endOf, ends, identityOf } from './testing/children.js';
import { makeLeasedProgram } from './testing/lease.js';

const asRoot = { skip: process.getuid?.() !== 0 };
const nobody = 65534;
const root = mkdtempSync(`${tmpdir()}/meseta-children-`);
chmodSync(root, 0o755);
after(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;
function newDirectory(): string {
  const path = `${root}/${directories++}`;
  mkdirSync(path);
  return path;
}

const requestIn = (path: string, script: string, changes: Partial<ChildRequest> = {}): ChildRequest => ({
  program: '/bin/sh',
  argv: ['sh', '-c', script],
  environment: { PATH: '/usr/bin:/bin' },
  directory: { path, identity: identityOf(path) },
  output: 'files',
  user: undefined,
  limits: [],
  cgroups: [],
  record: undefined,
  ...changes,
});

async function run(path: string, script: string, changes: Partial<ChildRequest> = {}): Promise<ProcessEnd> {
  const started = children.start(requestIn(path, script, changes));
  assert.ok(started.ok, started.ok ? '' : started.error);
  return endOf(started.value.pid);
}

const read = (path: string): string => readFileSync(path, 'utf8');

const statuses: readonly [string, ProcessEnd][] = [
  ['exit 0', { kind: 'exited', code: 0 }],
  ['exit 137', { kind: 'exited', code: 137 }],
  ['kill -KILL $$', { kind: 'signaled', signal: 9 }],
  ['kill -SEGV $$', { kind: 'signaled', signal: 11 }],
];

test('the exact status of every child is reported: an exit with 137 is told from SIGKILL', async () => {
  const started = statuses.map(([script]) => children.start(requestIn(newDirectory(), script)));
  for (const [index, each] of started.entries()) {
    assert.ok(each.ok);
    assert.deepEqual(await endOf(each.value.pid), statuses[index]?.[1]);
  }
});

test('a program is looked up in the PATH of its environment, and one that is missing or not executable is told apart', async () => {
  const path = newDirectory();
  mkdirSync(`${path}/first`);
  writeFileSync(`${path}/first/tool`, '', { mode: 0o644 });
  writeFileSync(`${path}/tool`, 'echo "$0 $1"; exit 3\n', { mode: 0o755 });
  const tool = { program: 'tool', argv: ['tool', 'a b'] };
  const found = await run(path, '', { ...tool, environment: { PATH: `/no/such:${path}/first:${path}` } });
  assert.deepEqual(found, { kind: 'exited', code: 3 });
  assert.equal(read(`${path}/stdout`), `${path}/tool a b\n`);
  const forbidden = await run(path, '', { ...tool, environment: { PATH: `${path}/first` } });
  assert.deepEqual(forbidden, { kind: 'exited', code: 126 });
  const missing = await run(path, '', { ...tool, environment: { PATH: '/no/such' } });
  assert.deepEqual(missing, { kind: 'exited', code: 127 });
  assert.equal(
    read(`${path}/stderr`),
    'Failed to execute tool: Permission denied\nFailed to execute tool: No such file or directory\n',
  );
});

test('CHILDREN-1: a program has its own session, three descriptors, default signals and the environment it was given', async () => {
  const path = newDirectory();
  const script =
    'ls /proc/self/fd; grep -E "^Sig(Blk|Ign):" /proc/self/status; cut -d" " -f1,6 /proc/$$/stat; pwd; env';
  await run(path, script, { environment: { PATH: '/usr/bin:/bin', 'a.b': "it's\n" } });
  const [zero, one, two, three, blocked, ignored, ids = '', ...rest] = read(`${path}/stdout`).split('\n');
  // ls reads the directory by descriptor 3.
  assert.deepEqual([zero, one, two, three], ['0', '1', '2', '3']);
  assert.deepEqual([blocked, ignored], ['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000']);
  const [pid, session] = ids.split(' ');
  assert.equal(session, pid);
  assert.deepEqual(rest.slice(0, 2), [path, 'PATH=/usr/bin:/bin']);
});

test('a child appends its own line of /proc/PID/stat to its record before it runs the program', async () => {
  const path = newDirectory();
  writeFileSync(`${path}/record`, 'head\n');
  const started = children.start(requestIn(path, 'cat record; exit 0', { record: `${path}/record` }));
  assert.ok(started.ok);
  await endOf(started.value.pid);
  assert.match(read(`${path}/stdout`), new RegExp(`^head\nfirst ${started.value.pid} \\(`));
  assert.ok(read(`${path}/record`).startsWith(`head\nfirst ${started.value.stat}\n`));
});

test('arguments and environment that are too large are refused', () => {
  const environment = { A: 'x'.repeat(9_000_000) };
  const started = children.start(requestIn(newDirectory(), 'true', { environment }));
  assert.match(started.ok ? '' : started.error, /^arguments and environment: larger than/);
  const long = children.start(requestIn(newDirectory(), 'true', { environment: { A: 'x'.repeat(200_000) } }));
  assert.ok(long.ok);
});

test('CHILDREN-2: an output that is no regular file of the user, and a directory that was replaced, are refused', () => {
  const refused = (prepare: (path: string) => void, expected: RegExp, changes: Partial<ChildRequest> = {}): void => {
    const path = newDirectory();
    const request = requestIn(path, 'echo pwned; echo pwned >&2', changes);
    prepare(path);
    const started = children.start(request);
    assert.match(started.ok ? 'it was started' : started.error, expected);
  };
  const victim = `${root}/victim`;
  writeFileSync(victim, 'of root\n', { mode: 0o600 });
  refused((path) => symlinkSync(victim, `${path}/stdout`), /stdout can't be opened: it is a symbolic link/);
  refused((path) => symlinkSync(`${root}/new`, `${path}/stderr`), /stderr can't be opened: it is a symbolic link/);
  refused((path) => execFileSync('mkfifo', [`${path}/stdout`]), /stdout can't be opened|stdout is not a regular file/);
  refused((path) => mkdirSync(`${path}/stdout`), /stdout can't be opened/);
  const other = newDirectory();
  refused((path) => {
    rmSync(path, { recursive: true });
    symlinkSync(other, path);
  }, /was replaced/);
  if (!asRoot.skip) {
    refused((path) => linkSync(victim, `${path}/stdout`), /stdout is not a regular file of the user 65534/, {
      user: { uid: nobody, groups: [nobody] },
    });
  }
  assert.equal(read(victim), 'of root\n');
});

test('CHILDREN-3: a program runs with exactly its user, groups and limits', asRoot, async () => {
  const path = newDirectory();
  chownSync(path, nobody, nobody);
  const user = { uid: nobody, groups: [nobody, 4] };
  // An address space that is smaller than this process' own, and a raised hard limit.
  const limits = [
    { resource: 9, soft: 50_000_000, hard: 60_000_000 },
    { resource: 7, soft: 10, hard: 20 },
    { resource: 4, soft: undefined, hard: undefined },
  ];
  const script =
    'id -u; id -G; grep -E "^(Uid|Gid|CapPrm|CapEff):" /proc/self/status; ulimit -v; ulimit -Hn; ulimit -c';
  assert.deepEqual(await run(path, script, { user, limits }), { kind: 'exited', code: 0 });
  const ids = '65534\t65534\t65534\t65534';
  const capabilities = 'CapPrm:\t0000000000000000\nCapEff:\t0000000000000000';
  assert.equal(
    read(`${path}/stdout`),
    `65534\n65534 4\nUid:\t${ids}\nGid:\t${ids}\n${capabilities}\n48828\n20\nunlimited\n`,
  );
  const { uid, mode } = statSync(`${path}/stdout`);
  assert.deepEqual([uid, mode & 0o777], [nobody, 0o644]);
});

test('CALLS-1, CHILDREN-3: a program whose limits can not be set is not started', async () => {
  const started = children.start(requestIn(newDirectory(), 'true', { limits: [{ resource: 99, soft: 1, hard: 1 }] }));
  assert.equal(started.ok ? '' : started.error, 'Failed to set the limit 99: Invalid argument');
});

/** Hierarchies of both versions, as far as this machine has them. */
const hierarchies = ['unified', 'freezer', 'memory', 'pids'].map((name) => `/sys/fs/cgroup/${name}`).filter(existsSync);
const withCgroups = { skip: asRoot.skip ? 'needs root' : hierarchies.length === 0 && 'needs cgroups version 1' };

const withUnified = { skip: withCgroups.skip || (!hierarchies[0]?.endsWith('unified') && 'needs a unified hierarchy') };

/** Runs `use` with a new cgroup in each hierarchy. */
async function inCgroups(use: (cgroups: readonly string[]) => Promise<void>): Promise<void> {
  const cgroups = hierarchies.map((hierarchy) => `${hierarchy}/meseta-children-${process.pid}`);
  for (const cgroup of cgroups) mkdirSync(cgroup);
  try {
    await use(cgroups);
  } finally {
    for (const cgroup of cgroups) rmdirSync(cgroup);
  }
}

test(
  'CHILDREN-5: a program is in its cgroups from its first instruction on, also one of another user',
  withCgroups,
  () =>
    inCgroups(async (cgroups) => {
      const path = newDirectory();
      chownSync(path, nobody, nobody);
      await run(path, 'exec cat /proc/self/cgroup', { cgroups, user: { uid: nobody, groups: [nobody] } });
      const joined = read(`${path}/stdout`).split(`/meseta-children-${process.pid}\n`).length - 1;
      assert.equal(joined, cgroups.length);
      for (const cgroup of cgroups) assert.equal(read(`${cgroup}/cgroup.procs`), '');
      const missing = children.start(requestIn(newDirectory(), 'true', { cgroups: [`${cgroups[0]}/missing`] }));
      assert.match(missing.ok ? 'it was started' : missing.error, /^ENOENT: .*\/missing\/cgroup\.procs/);
    }),
);

test('CHILDREN-5: a program that its cgroup does not take is not started', withUnified, () =>
  inCgroups(async (cgroups) => {
    // A cgroup beside threaded ones takes no processes.
    const parent = cgroups[0] ?? '';
    for (const name of ['threaded', 'invalid']) mkdirSync(`${parent}/${name}`);
    writeFileSync(`${parent}/threaded/cgroup.type`, 'threaded');
    const refused = children.start(requestIn(newDirectory(), 'true', { cgroups: [`${parent}/invalid`] }));
    for (const name of ['threaded', 'invalid']) rmdirSync(`${parent}/${name}`);
    const expected = `Failed to join the cgroup ${parent}/invalid: Operation not supported`;
    assert.equal(refused.ok ? 'it was started' : refused.error, expected);
  }),
);

test('a program has the oom_score_adj that was asked for, and this process keeps its own', async () => {
  const path = newDirectory();
  const own = read('/proc/self/oom_score_adj');
  await run(path, 'cat /proc/self/oom_score_adj', { oomScoreAdjustment: 765 });
  assert.equal(read(`${path}/stdout`), '765\n');
  assert.equal(read('/proc/self/oom_score_adj'), own);
});

test('CHILDREN-4: a library that the environment preloads is loaded by no process of root', asRoot, async () => {
  const path = newDirectory();
  chownSync(path, nobody, nobody);
  const environment = { PATH: '/usr/bin:/bin', LD_PRELOAD: '/no/such/library.so' };
  await run(path, 'exec cat /proc/self/status', { user: { uid: nobody, groups: [nobody] }, environment });
  // The loader reports it once for the shell and once for cat.
  assert.equal(read(`${path}/stderr`).split('library.so').length - 1, 2);
});

test('orphans of a child are adopted, and their ends are collected', async () => {
  const path = newDirectory();
  await run(path, 'sh -c "sleep 0.05; exit 9" & echo $! >orphan');
  assert.deepEqual(await endOf(Number(read(`${path}/orphan`))), { kind: 'exited', code: 9 });
});

test('CALLS-2: a program that is held by a lease holds up no other start', async () => {
  const path = newDirectory();
  const program = `${path}/leased`;
  const endLease = makeLeasedProgram(program);
  const held = children.start(requestIn(path, '', { program, argv: [program] }));
  assert.equal(held.ok ? 'it was started' : held.error, 'the program was not started within 3000 ms');
  endLease();
  assert.deepEqual(await run(path, 'exit 3'), { kind: 'exited', code: 3 });
});

test('CALLS-2: processes of the same user that stop all others hold up no start', asRoot, async () => {
  const path = newDirectory();
  // Of no other process on this machine.
  const uid = 2_000_000_000 + process.pid;
  const user = { uid, groups: [uid] };
  chownSync(path, uid, uid);
  const stopOthers = 'while :; do kill -s STOP -- -1; done 2> /dev/null';
  const attacker = children.start(requestIn(path, stopOthers, { user }));
  assert.ok(attacker.ok, attacker.ok ? '' : attacker.error);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = Array.from({ length: 200 }, () => children.start(requestIn(path, 'exit 4', { user })));
  process.kill(attacker.value.pid, 'SIGKILL');
  await endOf(attacker.value.pid);
  // The attacker may stop a child again before it runs, each time that it is continued.
  const failures = started.flatMap((child) => (child.ok ? [] : [child.error]));
  assert.deepEqual([...new Set(failures)], failures.length === 0 ? [] : ['the program was not started within 3000 ms']);
  assert.ok(failures.length <= 3, `${failures.length} of 200 were not started`);
  for (const child of started) {
    if (!child.ok) continue;
    if (!ends.has(child.value.pid)) process.kill(child.value.pid, 'SIGCONT');
    assert.deepEqual(await endOf(child.value.pid), { kind: 'exited', code: 4 });
  }
});
