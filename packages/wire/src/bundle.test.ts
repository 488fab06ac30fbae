// A bundle has only what it uses: the index has no codec, a codec only those of its fields.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build } from 'esbuild';

async function bundled(contents: string): Promise<string> {
  const result = await build({
    stdin: { contents, resolveDir: 'packages/wire', loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'silent',
  });
  return result.outputFiles[0]?.text ?? '';
}

test('the index has no codec', async () => {
  const text = await bundled("export * from '@meseta/wire';");
  assert.ok(text.includes('renderWireError'));
  assert.ok(!text.includes('Codec'), text.slice(0, 300));
});

test('a bundle with one codec has only its messages and no module of Node', async () => {
  const text = await bundled("export { AddressCodec } from '@meseta/wire/codecs';");
  assert.ok(text.includes('decodeAddress'));
  assert.deepEqual(text.match(/function decode[A-Z]\w*Info/g), null);
  assert.deepEqual(text.match(/\bBuffer\b|node:/g), null);
});
