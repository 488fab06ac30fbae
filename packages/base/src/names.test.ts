import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ContainerIdLike, checkContainerId, checkId, checkPathBelow, utf8Length } from './names.js';

test('utf8Length is the number of bytes in UTF-8, also of text with half a surrogate pair', () => {
  const unit = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1 }),
    fc.constantFrom('\ud800', '\udc00', '\udfff', 'é'),
  );
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      assert.equal(utf8Length(text), Buffer.byteLength(text));
    }),
  );
});

test('an accepted id is one path component', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '.', '/', '\\', '\0', '\n', ' ', 'é', '\ud800') }), (id) => {
      if (checkId('field', id) !== undefined) return;
      assert.match(id, /^[^/\\\p{Cc}]+$/u);
      assert.ok(id !== '.' && id !== '..' && Buffer.byteLength(id) <= 255);
      assert.equal(Buffer.from(id).toString(), id);
    }),
  );
  for (const id of ['a', '...', '.a', 'a b', "it's", 'x'.repeat(255)])
    assert.equal(checkId('field', id), undefined, id);
  assert.match(checkId('task_id', '..') ?? '', /^task_id: expected an id other than/);
  assert.match(checkId('task_id', 'é'.repeat(128)) ?? '', /^task_id: expected at most 255 bytes, got 256$/);
});

/** The first and last characters of each length in UTF-8. */
const characters: readonly (readonly [text: string, bytes: number])[] = [
  ['a', 1],
  ['\u007e', 1],
  ['\u00a0', 2],
  ['\u07ff', 2],
  ['\u0800', 3],
  ['\ud7ff', 3],
  ['\ue000', 3],
  ['\uffff', 3],
  ['\u{10000}', 4],
  ['\u{10ffff}', 4],
];

test('an id has at most 255 bytes, for characters of any length', () => {
  for (const [text, bytes] of characters) {
    const most = text.repeat(Math.floor(255 / bytes)) + 'x'.repeat(255 % bytes);
    assert.equal(utf8Length(most), 255);
    assert.equal(checkId('id', most), undefined, text);
    assert.equal(checkId('id', `${most}x`), 'id: expected at most 255 bytes, got 256', text);
    const beyond = text.repeat(Math.floor(255 / bytes) + 1);
    const got = bytes * (Math.floor(255 / bytes) + 1);
    assert.equal(checkId('id', beyond), `id: expected at most 255 bytes, got ${got}`, text);
  }
});

test('the first and last characters of each length in UTF-8 are counted correctly', () => {
  for (const text of [...characters.map(([character]) => character), '\u007f', '\u0080', '\u0081']) {
    assert.equal(utf8Length(text), Buffer.byteLength(text), JSON.stringify(text));
  }
});

test('an id that cannot be a directory name is refused with the reason', () => {
  const separators = 'expected no slash, backslash and control character, got';
  const table: readonly (readonly [id: string, problem: string])[] = [
    ['', 'id: expected an id, got an empty string'],
    ['.', 'id: expected an id other than "." and "..", got "."'],
    ['..', 'id: expected an id other than "." and "..", got ".."'],
    ...['a/b', '/', 'a\\', '\0', 'a\u001f', '\u007f', '\u0080', '\u009f', '\ud800', '\udfff', '\ude00\ud83d'].map(
      (id): readonly [string, string] => [id, `id: ${separators} ${JSON.stringify(id)}`],
    ),
  ];
  for (const [id, problem] of table) assert.equal(checkId('id', id), problem);
});

const nested = (...parts: readonly string[]): ContainerIdLike =>
  parts.slice(1).reduce<ContainerIdLike>((parent, value) => ({ value, parent }), { value: parts[0] ?? '' });

const containerIds: readonly (readonly [ContainerIdLike, RegExp | undefined])[] = [
  [nested('a', 'b'), undefined],
  [nested(...Array.from({ length: 32 }, (_, i) => `c${i}`)), undefined],
  [nested(...Array.from({ length: 33 }, (_, i) => `c${i}`)), /^id: expected at most 32 levels, got 33$/],
  [nested(...Array.from({ length: 100_000 }, () => 'c')), /^id: expected at most 32 levels/],
  [nested('..', 'b'), /^id\.parent\.value: expected an id other than/],
  [nested('a', 'b/c'), /^id\.value: expected no slash/],
  [nested('a', 'b.c'), /^id\.value: expected no period and space/],
  [nested('a', 'b c'), /^id\.value: expected no period and space/],
  [nested('a', ''), /^id\.value: expected an id, got an empty string/],
  [nested('a', 'latest'), /^id\.value: expected an id other than "latest"/],
  [nested('x'.repeat(242)), undefined],
  [nested('x'.repeat(243)), /^id\.value: expected at most 242 bytes, got 243$/],
  [nested('x'.repeat(243), 'b', 'c'), /^id\.parent\.parent\.value: expected at most 242 bytes, got 243$/],
  [nested('a', 'latest '), /^id\.value: expected no period and space, got "latest "$/],
  [nested('latest', 'b'), /^id\.parent\.value: expected an id other than "latest"$/],
  [nested('latest2'), undefined],
];

test('each part of a container id can be a directory name, and the depth is limited', () => {
  for (const [id, problem] of containerIds) {
    const found = checkContainerId('id', id);
    if (problem === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', problem);
  }
});

test('an accepted path stays below its directory', () => {
  const unit = fc.constantFrom('a', '.', '..', '/', 'b\n');
  fc.assert(
    fc.property(fc.string({ unit }), (path) => {
      if (checkPathBelow('field', path) !== undefined) return;
      assert.ok(new URL(`/sandbox/${path}`, 'file:///').pathname.startsWith('/sandbox/'));
      assert.ok(path.split('/').every((part) => part !== '..'));
    }),
  );
  const component = 'p'.repeat(255);
  const table: readonly (readonly [path: string, problem: string | undefined])[] = [
    ['', 'p: expected a path, got ""'],
    ['.', 'p: expected a path, got "."'],
    ['./', 'p: expected a path, got "./"'],
    ['..', 'p: expected a path without "..", got ".."'],
    ['a/..', 'p: expected a path without "..", got "a/.."'],
    ['/..', 'p: expected a path without "..", got "/.."'],
    ['a/b\\', 'p: expected no slash, backslash and control character, got "b\\\\"'],
    [`${component}p`, 'p: expected at most 255 bytes, got 256'],
    [`${`${component}/`.repeat(16)}p`, 'p: expected at most 4096 bytes, got 4097'],
    [`${component}/`.repeat(16), undefined],
    ['a/./b//c/', undefined],
    ['...', undefined],
  ];
  for (const [path, problem] of table) assert.equal(checkPathBelow('p', path), problem, path);
});
