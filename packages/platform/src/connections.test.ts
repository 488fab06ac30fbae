import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import {
  type ConnectionLimits,
  createConnections,
  HEAD_TIMEOUT_MS,
  SILENT_GRACE_MS,
  STALLED_MS,
} from './connections.js';

/** Connections on a clock that the test moves. */
function world(limits: Partial<ConnectionLimits>) {
  let nowMs = 0;
  const cut: string[] = [];
  const connections = createConnections({
    limits: { maxConnections: 100, maxSilent: 100, ...limits },
    nowMs: () => nowMs,
    onClosed: () => {},
    onCut: (remote, reason) => cut.push(`${remote} ${reason}`),
  });
  const open = (remoteAddress: string, remotePort: number): Socket => {
    const socket = Object.defineProperties(new Socket(), {
      remoteAddress: { value: remoteAddress },
      remotePort: { value: remotePort },
      bytesWritten: { value: 0, writable: true },
      writableLength: { value: 0, writable: true },
    });
    connections.add(socket, undefined);
    return socket;
  };
  return {
    connections,
    cut,
    open,
    wait(ms: number): void {
      nowMs += ms;
      mock.timers.tick(ms);
    },
  };
}

test('CONNECTIONS-1: silent connections are closed first, then idle ones, of the address that has the most', () => {
  const { connections, open, cut } = world({ maxConnections: 5 });
  const [peer, busy, idle] = [open('10.0.0.1', 1), open('10.0.0.2', 1), open('::ffff:10.0.0.3', 1)];
  connections.markUsed(peer, '10.0.0.1:5051');
  connections.requestBegan(busy);
  connections.markUsed(idle, undefined);
  const flood = [open('10.0.0.9', 1), open('10.0.0.9', 2)];
  const quiet = open('10.0.0.4', 1);
  assert.deepEqual(
    [...flood, quiet].map(({ destroyed }) => destroyed),
    [true, false, false],
  );
  assert.match(cut.join(), /^10\.0\.0\.9:1 more than 5 connections are open, and this one is silent$/);
  for (const socket of [flood[1], quiet]) connections.requestBegan(socket as Socket);
  const next = open('10.0.0.5', 1);
  assert.ok(idle.destroyed && !next.destroyed);
  connections.requestBegan(next);
  const late = open('10.0.0.6', 1);
  assert.ok(late.destroyed, 'all are in use');
  assert.deepEqual([connections.stats.open, connections.stats.cut], [5, 3]);
  connections.requestEnded(busy);
  open('10.0.0.6', 2);
  assert.ok(busy.destroyed && !peer.destroyed);
  connections.closeAll();
});

test('CONNECTIONS-2: the number of silent connections is limited after the grace period', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { connections, open, wait } = world({ maxSilent: 2 });
  const sockets = [1, 2, 3, 4].map((port) => open('10.0.0.1', port));
  wait(SILENT_GRACE_MS / 2);
  assert.equal(connections.stats.open, 4, 'all may be about to send their request');
  wait(SILENT_GRACE_MS);
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, true, false, false],
  );
  connections.closeAll();
});

test('CONNECTIONS-2: new connections of the address with the most do not keep those that are silent for long open', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { connections, open, wait } = world({ maxSilent: 2 });
  const longSilent = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((ip) => open(ip, 1));
  wait(SILENT_GRACE_MS);
  const recent = [1, 2].map((port) => open('10.0.0.9', port));
  wait(SILENT_GRACE_MS / 2);
  assert.deepEqual(
    [...longSilent, ...recent].map(({ destroyed }) => destroyed),
    [true, false, false, false, false],
  );
  connections.closeAll();
});

test('CONNECTIONS-3: a sender of complete messages stays connected although each read ends within a message', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { connections, open, wait } = world({});
  const [busy, peer] = [open('10.0.0.1', 1), open('10.0.0.2', 1)];
  for (let at = 0; at <= 2 * HEAD_TIMEOUT_MS; at += 5_000) {
    connections.markUsed(busy, undefined);
    connections.markUsed(peer, '10.0.0.2:5051');
    for (const socket of [busy, peer]) connections.setBufferedBytes(socket, 100);
    wait(5_000);
  }
  assert.deepEqual([busy.destroyed, peer.destroyed], [false, false]);
  connections.closeAll();
});

test('CONNECTIONS-3: a head that arrives byte by byte has the same time as one that never arrives', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { connections, open, wait } = world({});
  const [slow, large] = [open('10.0.0.1', 1), open('10.0.0.2', 1)];
  for (let at = 0; at <= HEAD_TIMEOUT_MS; at += 5_000) {
    connections.setBufferedBytes(slow, 1 + at / 5_000);
    // A body of a megabyte may take a minute more.
    connections.setBufferedBytes(large, 2 ** 20);
    wait(5_000);
  }
  assert.deepEqual([slow.destroyed, large.destroyed], [true, false]);
  connections.setBufferedBytes(large, 0);
  wait(10 * HEAD_TIMEOUT_MS);
  assert.equal(large.destroyed, false);
  assert.equal(connections.stats.slow, 1);
  connections.closeAll();
});

test('CONNECTIONS-1: a connection whose client reads no byte of its answer is closed to make room', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { connections, open, wait } = world({ maxConnections: 3 });
  const [stalled, slow, quiet] = [1, 2, 3].map((port) => open('10.0.0.1', port)) as [Socket, Socket, Socket];
  for (const socket of [stalled, slow, quiet]) connections.requestBegan(socket);
  for (const socket of [stalled, slow]) Object.assign(socket, { bytesWritten: 1000, writableLength: 900 });
  for (let at = 0; at <= STALLED_MS; at += 5_000) {
    Object.assign(slow, { writableLength: slow.writableLength - 1 });
    wait(5_000);
  }
  assert.equal(stalled.destroyed, false, 'there is room');
  assert.equal(open('10.0.0.2', 1).destroyed, false);
  assert.deepEqual([stalled.destroyed, slow.destroyed, quiet.destroyed], [true, false, false]);
  connections.closeAll();
});

test('CONNECTIONS-1: a client that continues to read stays connected, as does one that has read its whole answer', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { connections, open, wait } = world({ maxConnections: 1 });
  const client = open('10.0.0.1', 1);
  connections.requestBegan(client);
  Object.assign(client, { bytesWritten: 1000, writableLength: 900 });
  wait(5_000);
  wait(STALLED_MS);
  Object.assign(client, { writableLength: 800 });
  wait(5_000);
  assert.ok(open('10.0.0.2', 1).destroyed);
  Object.assign(client, { writableLength: 0 });
  wait(5_000 + STALLED_MS);
  wait(5_000);
  assert.ok(open('10.0.0.2', 2).destroyed && !client.destroyed);
  connections.closeAll();
});

test('CONNECTIONS-4: connections that claim to be of one registered peer count as in use up to a limit', () => {
  const { connections, open } = world({ maxConnections: 7 });
  const real = open('10.0.0.1', 1);
  const flood = [1, 2, 3, 4, 5].map((port) => open('10.0.0.9', port));
  for (const socket of [real, ...flood]) connections.markUsed(socket, '10.0.0.1:5051');
  // The peer's own message counts again.
  connections.markUsed(real, '10.0.0.1:5051');
  for (const port of [1, 2, 3, 4]) connections.requestBegan(open('10.0.0.2', port));
  assert.equal(real.destroyed, false);
  assert.deepEqual(
    flood.map(({ destroyed }) => destroyed),
    [true, true, false, false, false],
  );
  connections.closeAll();
});
