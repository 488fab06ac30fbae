import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ContainerIdLike, checkContainerId, checkId, checkPathBelow, utf8Length } from './names.js';

test('utf8Length is the length of the bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(utf8Length(text), Buffer.byteLength(text));
    }),
  );
});

test('an id that passes is one name in a directory', () => {
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
  [nested('x'.repeat(243)), /^id\.value: expected at most 242 bytes, got 243/],
];

test('a container id has no part that is no directory, and a limited depth', () => {
  for (const [id, problem] of containerIds) {
    const found = checkContainerId('id', id);
    if (problem === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', problem);
  }
});

test('a path below a directory stays there', () => {
  const unit = fc.constantFrom('a', '.', '..', '/', 'b\n');
  fc.assert(
    fc.property(fc.string({ unit }), (path) => {
      if (checkPathBelow('field', path) !== undefined) return;
      assert.ok(new URL(`/sandbox/${path}`, 'file:///').pathname.startsWith('/sandbox/'));
      assert.ok(path.split('/').every((part) => part !== '..'));
    }),
  );
  for (const path of ['', '.', './', '..', 'a/..', '/..', 'p'.repeat(256)])
    assert.notEqual(checkPathBelow('p', path), undefined);
});
