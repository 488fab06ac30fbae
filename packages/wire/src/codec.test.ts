import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codec } from './codec.js';
import * as codecs from './codecs.js';
import { WireFailure } from './wire-error.js';

test('a codec returns the errors of its reader and throws broken invariants', () => {
  const failing = (error: Error) =>
    codec<string>(
      'M',
      () => {},
      () => {
        throw error;
      },
      String,
      () => {
        throw error;
      },
    );
  const refused = { ok: false, error: { code: 'value', message: 'M', path: '', expected: 'x', found: 'y' } };
  const refusing = failing(new WireFailure('value', 'x', 'y'));
  assert.deepEqual(refusing.decode(new Uint8Array()), refused);
  assert.deepEqual(refusing.read(1), refused);
  assert.deepEqual(refusing.parse('1'), refused);
  assert.throws(() => failing(new RangeError('broken')).read(1), RangeError);
  const malformed = refusing.parse('{');
  assert.ok(!malformed.ok && malformed.error.found !== undefined && malformed.error.found.length > 0);
  assert.deepEqual(
    { ...malformed.error, found: '' },
    { code: 'malformed', message: 'M', path: '', expected: 'JSON', found: '' },
  );
});

test('a repeated field assembled from parts equals that of the whole message', () => {
  const ids = ['a', 'b', 'c'].map((value) => ({ value }));
  const whole = codecs.OfferIDCodec.encodeList(5, ids);
  assert.equal(Buffer.from(whole).toString('hex'), '2a030a01612a030a01622a030a0163');
  assert.equal(codecs.OfferIDCodec.encodeList(5, []).length, 0);
});
