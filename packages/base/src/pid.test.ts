import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOfPid, hostOf, parsePid, pidOf } from './pid.js';

test('a pid has an id and an address', () => {
  assert.deepEqual(parsePid('slave(1)@10.0.0.7:5051'), {
    ok: true,
    value: { id: 'slave(1)', address: '10.0.0.7:5051' },
  });
  assert.deepEqual(parsePid('a@b@[::1]:5050'), { ok: true, value: { id: 'a@b', address: '[::1]:5050' } });
  assert.deepEqual(parsePid('a@h:65535'), { ok: true, value: { id: 'a', address: 'h:65535' } });
  assert.deepEqual(parsePid('a@h:0'), { ok: true, value: { id: 'a', address: 'h:0' } });
  const longest = `${'a'.repeat(1024 - 5)}@h:65`;
  assert.ok(parsePid(longest).ok);
  assert.deepEqual(parsePid(`a${longest}`), { ok: false, error: 'pid: expected at most 1024 characters, got 1025' });
  for (const text of ['', 'master', '@1.2.3.4:5', '@']) {
    const error = `expected a pid such as master@10.0.0.1:5050, got ${JSON.stringify(text)}`;
    assert.deepEqual(parsePid(text), { ok: false, error });
  }
  for (const text of [
    'm@1.2.3.4',
    'm@',
    'm@:5',
    'm@h:',
    'm@h:65536',
    'm@h:000001',
    'm@h:5x',
    'm@h:-1',
    'm@h:5\n',
    'm@x\nh:5',
  ]) {
    const error = `expected an ip:port after the @ of a pid, got ${JSON.stringify(text)}`;
    assert.deepEqual(parsePid(text), { ok: false, error });
  }
  assert.equal(pidOf('master', '127.0.0.1:5050'), 'master@127.0.0.1:5050');
  assert.equal(addressOfPid(pidOf('a@b', '[::1]:5050')), '[::1]:5050');
  const hosts = ['10.0.0.1:5050', '[::1]:5050', 'h:1'].map(hostOf);
  assert.deepEqual(hosts, ['10.0.0.1', '::1', 'h']);
});
