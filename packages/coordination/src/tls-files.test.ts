// PEM files that operators name in addresses.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCertificates, opensslSkip } from './testing/certificates.js';
import { newDirectory } from './testing/stores.js';
import { readTlsFiles } from './tls-files.js';

test('files that are not a certificate, its key and authorities are errors that name them, before any connection', {
  skip: opensslSkip,
}, () => {
  const directory = newDirectory();
  const { ca, cert, key } = makeCertificates(directory, 'IP:127.0.0.1');
  const other = join(directory, 'other');
  mkdirSync(other);
  const strange = makeCertificates(other, 'IP:127.0.0.1');
  const text = join(directory, 'text');
  writeFileSync(text, 'no PEM\n');
  const locked = join(directory, 'locked');
  execFileSync('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:secret', '-out', locked]);
  assert.ok(readTlsFiles({ ca, cert, key }).ok);
  for (const [files, expected] of [
    [{ ca: text }, /^ca: expected a PEM file with certificates in .*\/text: /],
    [{ ca: key }, /^ca: expected a PEM file with certificates in .*\/own\.key: /],
    [{ cert, key: text }, /^cert, key: expected PEM files .* in .*\/own\.pem and .*\/text: /],
    [{ cert: text, key }, /^cert, key: expected PEM files .* in .*\/text and /],
    [{ cert, key: strange.key }, /^cert, key: .*key values mismatch/],
    [{ cert, key: locked }, /^cert, key: .*without a passphrase/],
  ] as const) {
    const read = readTlsFiles(files);
    assert.match(read.ok ? 'no error' : read.error, expected);
  }
});
