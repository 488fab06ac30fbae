import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeToken, readToken } from './jwt.js';
import { errorOf } from './testing.js';

const key = Buffer.from('a key');

const encode = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url');

test('tokens: the example of RFC 7515, A.1', () => {
  const rfcKey = Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  );
  const token =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const claims = { iss: 'joe', exp: 1300819380, 'http://example.com/is_root': true };
  assert.deepEqual(readToken(token, rfcKey, 1300819380_000), { ok: true, value: claims });
  assert.ok(!readToken(token, rfcKey, 1300819381_000).ok);
  assert.ok(!readToken(`${token.slice(0, -2)}AA`, rfcKey, 0).ok);
});

test('tokens with a wrong signature, algorithm, header, form or expiry are refused', () => {
  const good = makeToken({ cid: 'c' }, key);
  const [, body = '', signature = ''] = good.split('.');
  const bad: readonly (readonly [string, RegExp])[] = [
    [makeToken({ cid: 'c' }, Buffer.from('another')), /signature/],
    [`${encode({ alg: 'none' })}.${body}.`, /alg/],
    [`${encode({ alg: 'RS256' })}.${body}.${signature}`, /alg/],
    [`${encode({ alg: 'HS256', crit: ['x'] })}.${body}.${signature}`, /crit/],
    [`${encode({ alg: 'HS256', typ: 1 })}.${body}.${signature}`, /typ/],
    [`${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ cid: 'other' })}.${signature}`, /signature/],
    [makeToken({ exp: '1' }, key), /exp/],
    [makeToken({ exp: 9 }, key), /expired/],
    [`${body}.${signature}`, /three/],
    [`${good}.x`, /three/],
    ['!.!.!', /base64url/],
  ];
  for (const [token, expected] of bad) {
    const read = readToken(token, key, 10_000);
    assert.ok(!read.ok, token);
    assert.match(read.error, expected);
  }
});

test('tokens: header and payload must be JSON objects; a token expires after the second of exp', () => {
  const key = Buffer.from('k');
  const part = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64url');
  const head = part({ alg: 'HS256', typ: 'JWT' });
  assert.equal(makeToken({}, key).split('.')[0], head);
  assert.deepEqual(readToken(makeToken({ exp: 10 }, key), key, 10_999), { ok: true, value: { exp: 10 } });
  const signature = (body: string) =>
    makeToken(JSON.parse(Buffer.from(body, 'base64url').toString()), key).split('.')[2];
  const table: readonly (readonly [token: string, wanted: unknown])[] = [
    [makeToken({ exp: 10 }, key), 'the token has expired'],
    [makeToken({ exp: '99' }, key), "'exp': expected a number"],
    [makeToken({ exp: null }, key), "'exp': expected a number"],
    ...[[], null, 5, 'x'].flatMap((json) => [
      [`${part(json)}.${part({})}.x`, 'the header is not a JSON object'] as const,
      [`${head}.${part(json)}.${signature(part(json))}`, 'the payload is not a JSON object'] as const,
    ]),
    [`${head}.${part({})}.`, 'the signature does not match'],
    [`${head}.${part({})}.!`, 'the signature does not match'],
    ['', 'expected three parts separated by dots'],
    ['a', 'expected three parts separated by dots'],
    ['a.b', 'expected three parts separated by dots'],
    [`${makeToken({}, key)}.`, 'expected three parts separated by dots'],
    ['..', 'the header is not a JSON object'],
    ['e30=.e30.', "'alg': expected HS256"],
    ['e30===.e30.', 'the header is not base64url'],
    [' e30.e30.', 'the header is not base64url'],
  ];
  for (const [token, wanted] of table) assert.equal(errorOf(readToken(token, key, 11_000)), wanted, token);
});
