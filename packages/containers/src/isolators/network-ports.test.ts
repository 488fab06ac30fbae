import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import type { Resource } from '@meseta/wire';
import type { ContainerRecord } from '../lifecycle.js';
import { readStat } from '../processes/process-table.js';
import type { Limitation } from '../types.js';
import { createNetworkPorts, type NetworkPortsOptions, watchedPortsOf } from './network-ports.js';

const id = 'c' as ContainerId;
const files = createFiles();
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** A process that listens on a free port of each of these addresses. `wrapper`: a program that becomes it. */
async function listener(
  addresses: readonly string[],
  wrapper: readonly string[] = [],
): Promise<{ readonly pid: number; readonly ports: number[] }> {
  const program = `
    const { createServer } = require('node:net');
    for (const address of ${JSON.stringify(addresses)}) {
      const server = createServer().listen(0, address, () => console.log(server.address().port));
    }`;
  const [first, ...rest] = [...wrapper, process.execPath, '-e', program];
  const child = spawn(first as string, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.split('\n').length > addresses.length) break;
  }
  return { pid: child.pid ?? 0, ports: text.trim().split('\n').map(Number) };
}

const portsResource = (...ports: readonly number[]): Resource => ({
  name: 'ports',
  type: 'RANGES',
  ranges: { range: ports.map((port) => ({ begin: port, end: port })) },
});

const recordOf = (resources: readonly Resource[]): ContainerRecord => ({
  containerId: id,
  sandbox: '/nowhere',
  user: undefined,
  resources,
  volumes: [],
});

/** Watches the processes as one container with a clock whose timer runs on request. */
function watch(pids: readonly number[], resources: readonly Resource[], changes: Partial<NetworkPortsOptions> = {}) {
  let next: (() => void) | undefined;
  let onTimer = (): void => {};
  const clock = {
    setTimer(_delayMs: number, callback: () => void) {
      next = callback;
      onTimer();
      return () => {
        next = undefined;
      };
    },
  };
  const limitations: Limitation[] = [];
  const warnings: string[] = [];
  const isolator = createNetworkPorts({
    files,
    clock,
    processesOf: async () => pids.flatMap((pid) => readStat(files, pid) ?? []),
    warn: (text) => void warnings.push(text),
    watchIntervalMs: 30_000,
    enforce: true,
    watched: undefined,
    ...changes,
  });
  isolator.watch?.(recordOf(resources), (limitation) => void limitations.push(limitation));
  const look = async (): Promise<void> => {
    const looked = new Promise<void>((resolve) => {
      onTimer = resolve;
    });
    next?.();
    await looked;
  };
  return { isolator, limitations, warnings, look, isPending: () => next !== undefined };
}

test('NETWORK-PORTS-2: a container that listens on a port that it does not have exceeds a limit, whatever the address', async () => {
  const { pid, ports } = await listener(['127.0.0.1', '::1', '0.0.0.0']);
  const [own = 0, ...others] = ports;
  const { limitations, look } = watch([pid], [portsResource(own)]);
  await look();
  assert.deepEqual(
    limitations.map(({ reason, resources }) => [reason, resources]),
    [['REASON_CONTAINER_LIMITATION', [portsResource(...others.sort((a, b) => a - b))]]],
  );
});

test('a container that listens on its own ports, after an update too, exceeds nothing; nor does one without listeners', async () => {
  const { pid, ports } = await listener(['127.0.0.1', '127.0.0.1']);
  const { isolator, limitations, look } = watch([pid], [portsResource(...ports)]);
  await look();
  assert.deepEqual(limitations, []);
  isolator.update?.(recordOf([]));
  await look();
  assert.equal(limitations.length, 1);
  const quiet = watch([process.ppid], []);
  await quiet.look();
  assert.deepEqual(quiet.limitations, []);
});

test('NETWORK-PORTS-1: ports of another network namespace are not held against a container', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  const inside = await listener(['0.0.0.0'], ['unshare', '--net']);
  const outside = await listener(['127.0.0.1']);
  const { limitations, look } = watch([inside.pid, outside.pid], []);
  await look();
  assert.deepEqual(
    limitations.map(({ resources }) => resources),
    [[portsResource(...outside.ports)]],
  );
});

test('only the watched ports count', async () => {
  const { pid, ports } = await listener(['127.0.0.1', '127.0.0.1']);
  const [port = 0] = ports;
  const { limitations, look } = watch([pid], [], { watched: [{ begin: port, end: port }] });
  await look();
  assert.deepEqual(
    limitations.map(({ resources }) => resources),
    [[portsResource(port)]],
  );
});

test('without enforcement the log tells once of each set of ports', async () => {
  const { pid, ports } = await listener(['127.0.0.1']);
  const { limitations, warnings, look } = watch([pid], [], { enforce: false });
  await look();
  await look();
  assert.deepEqual(limitations, []);
  assert.deepEqual(warnings, [`container c: Container is listening on unallocated ports: ${ports[0]}`]);
});

test('the looks end with the last container', async () => {
  const { isolator, isPending } = watch([process.pid], []);
  assert.equal(isPending(), true);
  await isolator.cleanUp?.(id);
  assert.equal(isPending(), false);
});

test('one look at a time is planned, also for a container that is watched while the last one before it is looked at', async () => {
  const timers = new Set<() => void>();
  const clock = {
    setTimer(_delayMs: number, callback: () => void) {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
  };
  let finishLook = (): void => {};
  let onLook = (): void => {};
  const { isolator } = watch([], [], {
    clock,
    processesOf: () =>
      new Promise((resolve) => {
        finishLook = () => resolve([]);
        onLook();
      }),
  });
  const listening = await listener(['127.0.0.1']);
  assert.equal(listening.ports.length, 1);
  const begun = new Promise<void>((resolve) => {
    onLook = resolve;
  });
  const [timer] = timers;
  timers.clear();
  timer?.();
  await begun;
  await isolator.cleanUp?.(id);
  isolator.watch?.(recordOf([]), () => {});
  finishLook();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(timers.size, 1);
  isolator.close?.();
  assert.equal(timers.size, 0);
});

test('the ports that are watched come from one flag', () => {
  const [agent, range] = [[{ begin: 31_000, end: 32_000 }], [{ begin: 1, end: 1023 }]];
  assert.deepEqual(watchedPortsOf(agent, false, undefined), { ok: true, value: undefined });
  assert.deepEqual(watchedPortsOf(agent, true, undefined), { ok: true, value: agent });
  assert.deepEqual(watchedPortsOf(agent, false, range), { ok: true, value: range });
  assert.equal(watchedPortsOf(agent, true, range).ok, false);
});
