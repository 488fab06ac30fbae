import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readElectedMaster } from './leader-info.js';

const good = {
  id: 'm',
  ip: 16777343,
  port: 5050,
  pid: 'master@127.0.0.1:5050',
  hostname: 'one.example',
  address: { hostname: 'one.example', ip: '127.0.0.1', port: 5050 },
};
const read = (changes: object) => readElectedMaster(Buffer.from(JSON.stringify({ ...good, ...changes })));

test('the MasterInfo of an elected master gives its pid and its address for HTTP', () => {
  const elected = read({});
  assert.ok(elected.ok);
  assert.deepEqual([elected.value.pid, elected.value.authority], ['master@127.0.0.1:5050', 'one.example:5050']);
  const ipv6 = read({ address: { hostname: 'fe80::1', ip: 'fe80::1', port: 6 } });
  assert.ok(ipv6.ok);
  assert.equal(ipv6.value.authority, '[fe80::1]:6');
});

const hostile: readonly (readonly [what: string, bytes: Uint8Array, says: RegExp])[] = [
  ['no JSON', Buffer.from('{'), /./],
  ['no object', Buffer.from('[]'), /./],
  ['more than 64 KiB', Buffer.alloc(65_537, 32), /at most 65536 bytes/],
  ['no pid', Buffer.from(JSON.stringify({ ...good, pid: undefined })), /'pid'/],
  ['a port out of range', Buffer.from(JSON.stringify({ ...good, address: { port: 70_000 } })), /'port'/],
  [
    'a host with a line break',
    Buffer.from(JSON.stringify({ ...good, address: { hostname: 'a\r\nb', port: 1 } })),
    /'hostname'/,
  ],
  [
    'a host with a slash',
    Buffer.from(JSON.stringify({ ...good, address: { hostname: 'a/b', port: 1 } })),
    /'hostname'/,
  ],
];
for (const [what, bytes, says] of hostile) {
  test(`a MasterInfo with ${what} is refused`, () => {
    const elected = readElectedMaster(bytes);
    assert.ok(!elected.ok);
    assert.match(elected.error, says);
  });
}
