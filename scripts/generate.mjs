// Usage: npm run generate. Bundles and runs the generators of packages/wire.
import { pathToFileURL } from 'node:url';
import { bundleNode } from './lib.mjs';

const [file] = await bundleNode(['packages/wire/codegen/main.ts'], '.build/codegen');
await import(pathToFileURL(file).href);
