import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseZooKeeperAddress } from './address.js';

test('an address has servers, a path, and optionally a user and a password', () => {
  assert.deepEqual(parseZooKeeperAddress('zk://me:p@ss/w:rd@a:1,[::1]:2,c/mesos/one/'), {
    ok: true,
    value: {
      servers: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'c', port: 2181 },
      ],
      login: { user: 'me', password: 'p@ss/w:rd' },
      path: '/mesos/one',
      tls: undefined,
    },
  });
});

test('a path and a password may contain a question mark, as with Mesos', () => {
  const address = parseZooKeeperAddress('zk://me:p?ca=ss@a/mesos?one');
  assert.ok(address.ok);
  assert.deepEqual([address.value.login?.password, address.value.path], ['p?ca=ss', '/mesos?one']);
});

test('zks:// is TLS, with the files that it names, and has a port of its own', () => {
  assert.deepEqual(parseZooKeeperAddress('zks://me:p@ss@a:1,b/mesos?ca=/a@b.pem&cert=/c&key=/k'), {
    ok: true,
    value: {
      servers: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2281 },
      ],
      login: { user: 'me', password: 'p@ss' },
      path: '/mesos',
      tls: { ca: '/a@b.pem', cert: '/c', key: '/k' },
    },
  });
});

for (const text of [
  'a:1/mesos',
  'zk://a:1',
  'zk://a:1/',
  'zk://me:secret@a:1',
  'zk://secret@a:1/mesos',
  'zk://me:secret@a:0/mesos',
  'zk://me:secret@a:70000/mesos',
  'zk://me:secret@a b:1/mesos',
  'zk://me:secret@/mesos',
  'zk://me:secret@a:1/../mesos',
  'zk://me:secret@a:1//mesos',
  'zk://me:secret@a:1/mesos?ca=/a',
  'zks://me:secret@a:1/mesos?cert=/a',
  'zks://me:secret@a:1/mesos?password=secret',
  `zk://me:secret@${'a:1,'.repeat(64)}a:1/mesos`,
]) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused, without its password`, () => {
    const address = parseZooKeeperAddress(text);
    assert.ok(!address.ok);
    assert.match(address.error, /^expected zk:\/\//);
    assert.doesNotMatch(address.error, /secret/);
  });
}
