// The inputs of children, with real processes.
import assert from 'node:assert/strict';
import { fstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import type { ChildChannel, ChildRequest, ProcessEnd } from '@meseta/base';
import { openTerminal } from './child-channels.js';
import { children, endOf, identityOf } from './testing/children.js';
import { until } from './testing/until.js';

const root = mkdtempSync(`${tmpdir()}/meseta-channels-`);
after(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;

interface Child {
  readonly pid: number;
  readonly path: string;
  readonly channel: ChildChannel;
  ended(): Promise<ProcessEnd>;
  output(name?: string): string;
}

function start(script: string, input: ChildRequest['input'], changes: Partial<ChildRequest> = {}): Child {
  const path = `${root}/${directories++}`;
  mkdirSync(path);
  const started = children.start({
    program: '/bin/sh',
    argv: ['sh', '-c', script],
    environment: { PATH: '/usr/bin:/bin' },
    directory: { path, identity: identityOf(path) },
    output: 'files',
    input,
    user: undefined,
    limits: [],
    record: undefined,
    cgroups: [],
    ...changes,
  });
  assert.ok(started.ok, started.ok ? '' : started.error);
  const { pid, channel } = started.value;
  assert.ok(channel);
  return {
    pid,
    path,
    channel,
    ended: () => endOf(pid),
    output: (name = 'stdout') => readFileSync(`${path}/${name}`, 'utf8'),
  };
}

const terminal = { kind: 'terminal' } as const;
const pipe = { kind: 'pipe' } as const;

test('a child with a terminal reads from it, writes to it, and has it as the controlling terminal of its session', async () => {
  // Opening /dev/tty fails without a controlling terminal.
  const script = 'read line && echo "got $line" >/dev/tty && test -t 0 && test -t 1 && test -t 2 && exit 4';
  const child = start(script, terminal);
  assert.ok((await child.channel.write(Buffer.from('hello\n'))).ok);
  assert.deepEqual(await child.ended(), { kind: 'exited', code: 4 });
  await child.channel.finish(5000);
  assert.equal(child.output(), 'hello\r\ngot hello\r\n');
});

test('a terminal has the window that is asked for, and its child learns of a change', async () => {
  const script = "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.05; done";
  const child = start(script, { kind: 'terminal', window: { rows: 10, columns: 20 } });
  await until('its first size', () => child.output().includes('10 20'));
  assert.ok(child.channel.resize({ rows: 33, columns: 44 }).ok);
  assert.deepEqual(await child.ended(), { kind: 'exited', code: 0 });
  await child.channel.finish(5000);
  assert.equal(child.output(), '10 20\r\n33 44\r\n');
});

test('CHANNELS-2: the output of a terminal that no client reads does not block its child, and all of it is in the file', async () => {
  const child = start('seq 1 200000', terminal);
  assert.deepEqual(await child.ended(), { kind: 'exited', code: 0 });
  await child.channel.finish(30_000);
  const lines = child.output().split('\r\n');
  assert.deepEqual([lines.length, lines[199_999]], [200_001, '200000']);
});

test('a child reads from a pipe until its end', async () => {
  const child = start('cat; cat >&2', pipe);
  const large = Buffer.alloc(300_000, 'x');
  for (const part of ['a', 'b\n']) assert.ok((await child.channel.write(Buffer.from(part))).ok);
  assert.ok((await child.channel.write(large)).ok);
  await child.channel.end();
  assert.deepEqual(await child.ended(), { kind: 'exited', code: 0 });
  assert.equal(child.output(), `ab\n${large}`);
  const late = await child.channel.write(Buffer.from('late'));
  assert.equal(late.ok ? '' : late.error.code, 'EPIPE');
  assert.equal((await Promise.resolve(child.channel.resize({ rows: 1, columns: 1 }))).ok, false);
});

test('CHANNELS-1: a write to a child that does not read waits without blocking, and is given up when the channel closes', async () => {
  for (const input of [pipe, terminal]) {
    const child = start('stty raw 2>/dev/null; echo ready; exec sleep 600', input);
    await until('its start', () => child.output().includes('ready'));
    let isWritten = false;
    const written = child.channel.write(Buffer.alloc(2 ** 20)).then((result) => {
      isWritten = true;
      return result;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isWritten, false, input.kind);
    process.kill(-child.pid, 'SIGKILL');
    await child.ended();
    await child.channel.finish(5000);
    const result = await written;
    assert.equal(result.ok ? '' : result.error.code, 'EPIPE', input.kind);
  }
});

test('a program that can not be executed is reported in the output of its terminal', async () => {
  const child = start('', terminal, { program: '/no/such/program' });
  assert.deepEqual(await child.ended(), { kind: 'exited', code: 127 });
  await child.channel.finish(5000);
  assert.match(child.output(), /^Failed to execute \/no\/such\/program: No such file/);
});

test('a child can start in another directory than that of its output', async () => {
  const elsewhere = `${root}/elsewhere`;
  mkdirSync(elsewhere);
  const startDirectory = { path: elsewhere, identity: identityOf(elsewhere) };
  const child = start('pwd', pipe, { startDirectory });
  await child.ended();
  assert.equal(child.output(), `${elsewhere}\n`);
  const missing = children.start({
    program: '/bin/true',
    argv: ['true'],
    environment: {},
    directory: { path: child.path, identity: identityOf(child.path) },
    startDirectory: { path: elsewhere, identity: '1:1' },
    output: 'files',
    input: pipe,
    user: undefined,
    limits: [],
    record: undefined,
    cgroups: [],
  });
  assert.equal(missing.ok ? '' : missing.error, `${elsewhere} was replaced`);
});

test('a terminal that can not be opened leaves no descriptor', () => {
  const output = openSync(`${root}/unused`, 'a');
  // No user has this number.
  assert.throws(() => openTerminal({ uid: 2 ** 40, gid: 0 }, undefined, output));
  assert.throws(() => fstatSync(output), /EBADF/);
});
