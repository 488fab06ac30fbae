// Files of credentials, of one credential and of keys: formats, errors and warnings.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseCredential, parseCredentials, readCredential, readCredentials, readKey } from './credentials.js';
import { errorOf } from './testing.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-security-'));

after(() => rmSync(directory, { recursive: true }));

test('credentials: both formats are read; errors name the field and quote nothing of the file', () => {
  const json = parseCredentials('{"credentials":[{"principal":"a","secret":"s"},{"principal":"b"}]}');
  const lines = parseCredentials('a s\n\n b\tt \n');
  assert.ok(json.ok && lines.ok);
  assert.deepEqual([...json.value.value], [['a', 's']]);
  assert.deepEqual(
    [...lines.value.value],
    [
      ['a', 's'],
      ['b', 't'],
    ],
  );
  assert.equal(json.value.warnings.length, 1);
  assert.deepEqual(parseCredential('{"principal":"a","secret":"s"}'), {
    ok: true,
    value: { principal: 'a', secret: 's' },
  });
  assert.deepEqual(parseCredential('a s\n'), { ok: true, value: { principal: 'a', secret: 's' } });
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /at least one/],
    ['{}', /'credentials'/],
    ['a hunter2\nb hunter2 x', /line 2/],
    ['{"credentials":[{"secret":"hunter2"}]}', /credentials\[0\]\.principal/],
    ['{"credentials":[{"principal":"a","secret":["hunter2"]}]}', /credentials\[0\]\.secret/],
    ['{"credentials":[{"principal":"a","secret":"x"},{"principal":"a","secret":"hunter2"}]}', /credentials\[1\]/],
    ['{"credentials": hunter2', /JSON/],
  ];
  for (const [text, expected] of wrong) {
    const parsed = parseCredentials(text);
    assert.ok(!parsed.ok, text);
    assert.match(parsed.error, expected);
    assert.doesNotMatch(parsed.error, /hunter2/);
  }
});

test('credentials: each malformed file has its error, and a principal without a secret a warning', () => {
  const credential = (...pairs: [string, string?][]) =>
    JSON.stringify({ credentials: pairs.map(([principal, secret]) => ({ principal, secret })) });
  const table: readonly (readonly [text: string, wanted: string])[] = [
    ['a s', 'taken'],
    ['  a   s  ', 'taken'],
    ['\n\n \n', 'expected at least one credential'],
    ['{}', "field 'credentials': expected at least one credential"],
    ['[]', 'expected an object'],
    ['{', 'expected JSON'],
    ['a', 'line 1: expected a principal and its secret'],
    ['a s\n\nb', 'line 3: expected a principal and its secret'],
    ['a s t', 'line 1: expected a principal and its secret'],
    ['a {s', 'taken'],
    ['a[ s', 'taken'],
    [` \n${credential(['a', 's'])}`, 'taken'],
    [credential(['', 's']), "field 'credentials[0].principal': expected a name"],
    [credential(['a', 's'], ['a', 't']), 'field \'credentials[1].principal\': "a" appears twice'],
    ['{"credentials":[{}]}', "field 'credentials[0].principal': expected a string"],
  ];
  for (const [text, wanted] of table) assert.equal(errorOf(parseCredentials(text)), wanted, JSON.stringify(text));
  const weak = parseCredentials(credential(['a', 's'], ['b'], ['c', '']));
  assert.ok(weak.ok);
  assert.deepEqual([...weak.value.value], [['a', 's']]);
  assert.deepEqual(
    weak.value.warnings,
    ['b', 'c'].map((name) => `principal "${name}" has no secret and cannot authenticate`),
  );
});

test('credential: a file with exactly one principal and secret, in both formats', () => {
  const good = { ok: true, value: { principal: 'a', secret: 's' } };
  const table: readonly (readonly [text: string, wanted: unknown])[] = [
    ['a s', good],
    ['a s\n', good],
    ['{"principal":"a","secret":"s"}', good],
    [' \n {"principal":"a","secret":"s"}', good],
    ['a {s', { ok: true, value: { principal: 'a', secret: '{s' } }],
    ['a{ s', { ok: true, value: { principal: 'a{', secret: 's' } }],
    ['', { ok: false, error: 'expected one principal and its secret' }],
    ['a s\nb t', { ok: false, error: 'expected one principal and its secret' }],
    ['a', { ok: false, error: 'line 1: expected a principal and its secret' }],
    ['{"principal":"a"}', { ok: false, error: "field 'secret': expected a secret" }],
    ['{"principal":"a","secret":""}', { ok: false, error: "field 'secret': expected a secret" }],
    ['{"secret":"s"}', { ok: false, error: "field 'principal': expected a string" }],
    ['{"principal":', { ok: false, error: 'expected JSON' }],
  ];
  for (const [text, wanted] of table) assert.deepEqual(parseCredential(text), wanted, text);
});

test('files of secrets: the content is read unchanged; a mode that lets others read them gives a warning', () => {
  const path = join(directory, 'secret');
  const write = (text: string, mode: number) => {
    writeFileSync(path, text);
    chmodSync(path, mode);
  };
  const open = (mode: string) => `all users can access ${path} (mode ${mode}): set its mode to 600`;
  write('a s', 0o640);
  assert.deepEqual(readCredential(`file://${path}`), {
    ok: true,
    value: { value: { principal: 'a', secret: 's' }, warnings: [] },
  });
  for (const mode of [0o644, 0o602, 0o601]) {
    write('{"credentials":[{"principal":"a","secret":"s"},{"principal":"b"}]}', mode);
    const read = readCredentials(path);
    const warnings = [open(mode.toString(8)), 'principal "b" has no secret and cannot authenticate'];
    assert.deepEqual(read.ok && read.value.warnings, warnings);
  }
  write('', 0o600);
  assert.equal(errorOf(readKey(path)), `${path}: expected a key`);
  write('a', 0o600);
  assert.equal(errorOf(readCredential(path)), `${path}: line 1: expected a principal and its secret`);
  assert.match(String(errorOf(readKey(join(directory, 'nowhere')))), /ENOENT/);
});

test('files of secrets: a file may be given as file://, and a key keeps its final newline', () => {
  const path = join(directory, 'credentials');
  writeFileSync(path, 'a s', { mode: 0o600 });
  const closed = readCredentials(`file://${path}`);
  assert.ok(closed.ok);
  assert.deepEqual(closed.value.warnings, []);
  chmodSync(path, 0o644);
  const open = readCredentials(path);
  assert.ok(open.ok);
  assert.match(open.value.warnings[0] ?? '', /mode 644/);
  assert.ok(!readCredentials(join(directory, 'nowhere')).ok);
  writeFileSync(path, 'key\n');
  const read = readKey(path);
  assert.ok(read.ok && Buffer.from(read.value.value).toString() === 'key\n');
});
