// Usage: npm run example -- NAME [OPTION]... Bundles examples/NAME.ts and runs it.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { setup } from './setup.mjs';

setup();
const { bundleNode, root } = await import('./lib.mjs');
const [name] = process.argv.splice(2, 1);
if (name === undefined || !existsSync(`${root}/examples/${name}.ts`)) {
  console.error('Usage: npm run example -- batch|keep-running [OPTION]...');
  process.exit(2);
}
if (!existsSync(`${root}/packages/wire/generated/codecs.ts`)) await import('./generate.mjs');
const [file] = await bundleNode([`examples/${name}.ts`], '.build/examples');
await import(pathToFileURL(file).href);
