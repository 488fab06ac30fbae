import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findListeningPorts, socketInode } from './listening-ports.js';

/** As a kernel wrote it. */
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 560 1 000000001025c3ec 100 0 0 10 0
   1: 0100007F:B043 0100007F:07E8 01 00000000:00000000 00:00000000 00000000  1000        0 326766 1 000000008da9228c 20 4 30 10 -1
   2: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 00000000aa 100 0 0 10 0
`;
const TABLE_6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 901 1 00000000bb 100 0 0 10 0
`;

test('listening sockets of both families are found by their inodes, established ones are not', () => {
  const ports = new Map<string, number>();
  findListeningPorts(TABLE, undefined, ports);
  findListeningPorts(TABLE_6, undefined, ports);
  assert.deepEqual(
    [...ports],
    [
      ['560', 2024],
      ['77', 5001],
      ['901', 8080],
    ],
  );
});

test('only watched ports count, and lines that are no sockets are passed over', () => {
  const watched = new Uint8Array(65_536);
  watched[5001] = 1;
  const ports = new Map<string, number>();
  for (const table of [TABLE, '', 'head only', 'head\n\nx y\n', `${TABLE.slice(0, 150)}`]) {
    findListeningPorts(table, watched, ports);
  }
  assert.deepEqual([...ports], [['77', 5001]]);
});

test('a socket is recognised by the target of its descriptor', () => {
  assert.equal(socketInode('socket:[560]'), '560');
  for (const other of ['/tmp/socket:[560]', 'pipe:[560]', 'socket:[x]', ''])
    assert.equal(socketInode(other), undefined);
});
