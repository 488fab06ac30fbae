import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coordinatorAt } from '../coordinator.js';
import { parseEtcdAddress } from './address.js';

const servers = [
  { host: 'a', port: 1 },
  { host: '::1', port: 2 },
  { host: 'c', port: 2379 },
];

test('an address has servers, a prefix, and optionally a user and a password', () => {
  assert.deepEqual(parseEtcdAddress('etcd://me:p@s?s/w:rd@a:1,[::1]:2,c/meseta/one/'), {
    ok: true,
    value: { servers, login: { user: 'me', password: 'p@s?s/w:rd' }, path: '/meseta/one', tls: undefined },
  });
});

test('etcds:// is TLS, with the files that it names', () => {
  for (const [query, tls] of [
    ['', {}],
    ['?ca=/a.pem', { ca: '/a.pem' }],
    ['?ca=/a@b/c.pem', { ca: '/a@b/c.pem' }],
    ['?key=/k&cert=/c&ca=/a%20b', { ca: '/a b', cert: '/c', key: '/k' }],
  ] as const) {
    assert.deepEqual(parseEtcdAddress(`etcds://a:1,[::1]:2,c/meseta${query}`), {
      ok: true,
      value: { servers, login: undefined, path: '/meseta', tls },
    });
  }
});

for (const text of [
  'a:1/meseta',
  'etcd:/a:1/meseta',
  'etcd://a:1',
  'etcd://a:1/',
  'etcd://me:secret@a:1',
  'etcd://secret@a:1/meseta',
  'etcd://me:secret@a:70000/meseta',
  'etcd://me:secret@/meseta',
  'etcd://me:secret@a:1/../meseta',
  'etcd://me:secret@a:1/meseta?ca=/a',
  'etcd://me:secret@a:1/meseta?b',
  'etcds://me:secret@a:1/meseta?cert=/a',
  'etcds://me:secret@a:1/meseta?ca=',
  'etcds://me:secret@a:1/meseta?ca=/a&ca=/b',
  'etcds://me:secret@a:1/meseta?password=secret',
  `etcd://me:secret@${'a:1,'.repeat(64)}a:1/meseta`,
]) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused, without its password`, () => {
    const address = parseEtcdAddress(text);
    assert.ok(!address.ok);
    assert.match(address.error, /^expected etcd:\/\//);
    assert.doesNotMatch(address.error, /secret/);
  });
}

test('a file of the address that cannot be read is named', () => {
  const coordinator = coordinatorAt('etcds://a:1/meseta?ca=/no/such/file');
  assert.match(coordinator.ok ? '' : coordinator.error, /^ca: can't read \/no\/such\/file: /);
});
