// Usage: node scripts/coverage.mjs. Writes docs/coverage.md: Mesos' interfaces, which are supported, and why others are not.
import { rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { bundleNode, root } from './lib.mjs';

const folder = `.build/coverage-${process.pid}`;
const [file] = await bundleNode(['scripts/coverage/write.ts'], folder);
try {
  await import(pathToFileURL(file).href);
} finally {
  rmSync(`${root}/${folder}`, { recursive: true, force: true });
}
