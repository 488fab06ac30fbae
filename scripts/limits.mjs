// Usage: node scripts/limits.mjs. Writes docs/limits.md: the limits on input from outside.
import { rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { bundleNode, root } from './lib.mjs';

const folder = `.build/limits-${process.pid}`;
const [file] = await bundleNode(['scripts/limits/write.ts'], folder);
try {
  await import(pathToFileURL(file).href);
} finally {
  rmSync(`${root}/${folder}`, { recursive: true, force: true });
}
