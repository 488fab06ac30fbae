// The inputs of containers and their terminals, with real processes and a real supervisor.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { Containerizer } from '../containerizer.js';
import { next, output, read, root, spec, start, untilDead, untilFile } from '../testing/launcher.js';
import type { ContainerSpec } from '../types.js';
import type { InputResult } from './protocol.js';

const withTerminal: Partial<ContainerSpec> = {
  container: { type: 'MESOS', tty_info: { window_size: { rows: 10, columns: 20 } } },
};

const sendText = (containers: Containerizer, id: string, text: string): Promise<InputResult> =>
  containers.send(id as ContainerId, { kind: 'data', base64: Buffer.from(text).toString('base64') });

const sendWindow = (containers: Containerizer, id: string, rows: number, columns: number): Promise<InputResult> =>
  containers.send(id as ContainerId, { kind: 'window', window: { rows, columns } });

/** A session in the sandbox of a parent. */
function sessionSpec(id: string, value: string): ContainerSpec {
  const parent = `${root}/parent`;
  mkdirSync(parent, { recursive: true });
  const outer = { containerId: 'parent' as ContainerId, sandbox: parent, volumes: [] };
  return { ...spec(id, { value }), sandbox: `${parent}/containers/${id}`, outer, isSession: true };
}

test('a session reads its input until the end, starts in the sandbox of its parent, and writes to its own', async () => {
  const containers = await start();
  const it = sessionSpec('session', 'pwd; cat; echo done >&2; exit 3');
  containers.launch(it);
  await next('started', 'session');
  assert.equal(await sendText(containers, 'session', 'hello '), 'taken');
  assert.equal(await sendText(containers, 'session', 'there\n'), 'taken');
  const refused = await sendWindow(containers, 'session', 1, 1);
  assert.ok(typeof refused === 'object');
  assert.match(refused.refused, /no terminal/);
  assert.equal(await containers.send(it.containerId, { kind: 'end' }), 'taken');
  assert.deepEqual((await next('exited', 'session')).status, { kind: 'exited', code: 3 });
  assert.equal(output(it), `${root}/parent\nhello there\n`);
  assert.equal(output(it, 'stderr'), 'done\n');
  assert.equal(await sendText(containers, 'session', 'late'), 'closed');
});

test('a session with the id of an earlier one has no output of that', async () => {
  const containers = await start();
  for (const text of ['first', 'second']) {
    const it = sessionSpec('again', `echo ${text}`);
    containers.launch({ ...it, containerId: text as ContainerId });
    await next('exited', text);
    assert.equal(output(it), `${text}\n`);
  }
});

test('a container without a session and without a terminal has no input', async () => {
  const containers = await start();
  const it = spec('plain', { value: 'cat; echo end; sleep 600' });
  containers.launch(it);
  await next('started', 'plain');
  await untilFile(`${it.sandbox}/stdout`, (text) => text === 'end\n');
  assert.equal(await sendText(containers, 'plain', 'x'), 'closed');
});

test('a terminal survives the agent, with its input, its window and its output', async () => {
  const first = await start();
  const script = `trap 'stty size' WINCH; echo ready; until [ "$line" = end ]; do read -r line && echo "got $line"; done; exit 4`;
  const it = spec('tty', { value: script }, withTerminal);
  first.launch(it);
  await next('started', 'tty');
  await untilFile(`${it.sandbox}/stdout`, (text) => text.includes('ready'));
  await first.close();
  const second = await start();
  await second.recover();
  assert.equal(await sendText(second, 'tty', 'one\n'), 'taken');
  await untilFile(`${it.sandbox}/stdout`, (text) => text.includes('got one'));
  assert.equal(await sendWindow(second, 'tty', 33, 44), 'taken');
  await untilFile(`${it.sandbox}/stdout`, (text) => text.includes('33 44'));
  assert.equal(await sendText(second, 'tty', 'end\n'), 'taken');
  assert.deepEqual((await next('exited', 'tty')).status, { kind: 'exited', code: 4 });
  assert.equal(output(it), 'ready\r\none\r\ngot one\r\n33 44\r\nend\r\ngot end\r\n');
});

test('SUPERVISOR-4: the end of a container is reported when all output of its terminal is in its file', async () => {
  const containers = await start();
  const ids = ['a', 'b', 'c', 'd'];
  const specs = ids.map((id) => spec(id, { value: 'seq 1 20000; echo last' }, withTerminal));
  for (const it of specs) containers.launch(it);
  for (const [index, id] of ids.entries()) {
    await next('exited', id);
    const text = output(specs[index] as ContainerSpec);
    assert.ok(text.endsWith('20000\r\nlast\r\n'), text.slice(-40));
  }
});

test('when the supervisor is killed, a terminal hangs up and its input is closed', async () => {
  const containers = await start();
  const it = spec('hung', { value: 'trap "" HUP; echo ready; sleep 600' }, withTerminal);
  containers.launch(it);
  const { pid } = await next('started', 'hung');
  await untilFile(`${it.sandbox}/stdout`, (text) => text.includes('ready'));
  const supervisor = Number(/^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]);
  assert.ok(supervisor > 1);
  process.kill(supervisor, 'SIGKILL');
  await untilDead(supervisor);
  assert.equal(await sendText(containers, 'hung', 'x'), 'closed');
  containers.destroy(it.containerId);
  await next('exited', 'hung');
});

test('CONTAINER-INPUTS-1: few inputs wait for a container that does not read, and none after its end', async () => {
  const containers = await start();
  const it = sessionSpec('deaf', 'sleep 600');
  containers.launch(it);
  await next('started', 'deaf');
  const sent = Array.from({ length: 12 }, () => sendText(containers, 'deaf', 'x'.repeat(100_000)));
  const refused = await Promise.all(sent.slice(8));
  for (const result of refused) assert.match(typeof result === 'object' ? result.refused : result, /8 inputs wait/);
  containers.destroy(it.containerId);
  await next('exited', 'deaf');
  assert.deepEqual(await Promise.all(sent.slice(0, 8)), Array(8).fill('closed'));
});
