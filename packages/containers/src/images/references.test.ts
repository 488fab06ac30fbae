import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalName, parseReference } from './references.js';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('names of images', () => {
  const names: readonly (readonly [
    text: string,
    registry: string | undefined,
    repository: string,
    tag: string,
    digest?: string,
  ])[] = [
    ['busybox', undefined, 'busybox', 'latest'],
    ['library/busybox:1.36', undefined, 'library/busybox', '1.36'],
    ['registry.example/a/b-c__d.e', 'registry.example', 'a/b-c__d.e', 'latest'],
    ['localhost/a:x_Y.z-1', 'localhost', 'a', 'x_Y.z-1'],
    ['host:5000/a:1', 'host:5000', 'a', '1'],
    ['[::1]:5000/a', '[::1]:5000', 'a', 'latest'],
    [`a@${digest}`, undefined, 'a', 'latest', digest],
    [`host:5000/a:1@${digest}`, 'host:5000', 'a', '1', digest],
  ];
  for (const [text, registry, repository, tag, its] of names) {
    it(text, () => {
      assert.deepEqual(parseReference(text), { ok: true, value: { registry, repository, tag, digest: its } });
    });
  }

  it('an image has one canonical name', () => {
    const parsed = parseReference('busybox');
    assert.equal(parsed.ok && canonicalName(parsed.value), 'busybox:latest');
  });
});

describe('what is no name of an image is refused', () => {
  const refused: readonly (readonly [text: string, error: RegExp])[] = [
    ['', /repository/],
    ['Busybox', /repository/],
    ['../etc/passwd', /repository|registry/],
    ['a/../b', /repository/],
    ['a//b', /repository/],
    ['/a', /repository/],
    ['.host/a', /registry/],
    ['a:', /tag/],
    ['a:../x', /registry/],
    [`a:${'t'.repeat(129)}`, /more than 128/],
    ['a@sha256:12', /digest/],
    ['a@md5:0123456789abcdef0123456789abcdef', /digest/],
    ['host:5000/', /repository/],
    ['host:999999/a', /registry/],
    ['user@host.example/a', /digest/],
    ['host.example?x/a', /registry/],
    [`${'a'.repeat(256)}`, /at most 255 characters, got 256/],
    [`${'h'.repeat(256)}.example/a`, /the registry: expected at most 255/],
    [`${'a-'.repeat(30_000)}!`, /at most 255/],
  ];
  for (const [text, error] of refused) {
    it(text.slice(0, 40) || 'nothing', () => {
      const parsed = parseReference(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.error, error);
      assert.ok(parsed.error.length < 1000);
    });
  }
});
