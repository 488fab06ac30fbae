import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialsFor, parseImageName, parseRegistryCredentials } from './image-names.js';

test('the name of an image has a registry, a repository, and a tag or digest', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const cases: readonly (readonly [image: string, repository: string, tag: string, registry: string | undefined])[] = [
    ['busybox', 'busybox', 'latest', undefined],
    ['busybox:1', 'busybox', '1', undefined],
    ['busybox:1.36', 'busybox', '1.36', undefined],
    ['library/busybox', 'library/busybox', 'latest', undefined],
    ['localhost:5000/a/b:c', 'localhost:5000/a/b', 'c', 'localhost:5000'],
    ['registry.example.com/a', 'registry.example.com/a', 'latest', 'registry.example.com'],
    [`a@${digest}`, 'a', digest, undefined],
    [`r:5000/a:1@${digest}`, 'r:5000/a', digest, 'r:5000'],
  ];
  for (const [image, repository, tag, registry] of cases) {
    assert.deepEqual(parseImageName(image), { ok: true, value: { repository, tag, registry } }, image);
  }
  for (const image of ['', ':', '/a', 'a:', 'a b', 'a@b', '../a', 'a?x=y', 'a\n'])
    assert.equal(parseImageName(image).ok, false, image);
});

test("credentials are those of the image's registry, by the older and the newer form of the configuration", () => {
  const auth = Buffer.from('me:se:cret').toString('base64');
  const config = { auths: { 'registry.example.com': { auth }, 'https://index.docker.io/v1/': { identitytoken: 't' } } };
  const parsed = parseRegistryCredentials(JSON.stringify(config));
  assert(parsed.ok);
  const headerOf = (image: string): unknown => {
    const name = parseImageName(image);
    const header = name.ok ? credentialsFor(parsed.value, name.value) : undefined;
    return header && JSON.parse(Buffer.from(header, 'base64url').toString());
  };
  assert.deepEqual(headerOf('registry.example.com/a'), {
    username: 'me',
    password: 'se:cret',
    serveraddress: 'registry.example.com',
  });
  assert.deepEqual(headerOf('a'), { identitytoken: 't', serveraddress: 'index.docker.io' });
  assert.equal(headerOf('other.example.com/a'), undefined);
  const older = parseRegistryCredentials(JSON.stringify({ 'r:5000': { auth } }));
  assert.equal(older.ok && older.value.has('r:5000'), true);
  for (const text of ['', '[]', 'null', '{"auths": 1}']) assert.equal(parseRegistryCredentials(text).ok, false, text);
});
