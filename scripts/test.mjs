// Usage: node scripts/test.mjs [PATH...] [-- NODE_TEST_OPTION...]
// Bundles the *.test.ts files below the paths (default: all) and runs them with Node's test runner.

import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { globSync } from './glob.mjs';
import { bundleNode, root } from './lib.mjs';

const argv = process.argv.slice(2);
const split = argv.indexOf('--');
const paths = split < 0 ? argv : argv.slice(0, split);
const options = split < 0 ? [] : argv.slice(split + 1);

if (!existsSync(`${root}/packages/wire/generated/types.ts`)) await import('./generate.mjs');
const wanted = paths.map((path) => path.replace(/^\.\//, '').replace(/\/$/, ''));
const files = globSync(['packages', 'bench', 'scripts', 'examples'], '.test.ts').filter(
  (file) => wanted.length === 0 || wanted.some((path) => file === path || file.startsWith(`${path}/`)),
);
if (files.length === 0) {
  console.error(`no *.test.ts under ${wanted.join(', ')}`);
  process.exit(1);
}
// scripts/verify.mjs sums the counts.
const counts = process.env['MESETA_TEST_COUNTS'];
const reporters = counts
  ? [
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=tap',
      `--test-reporter-destination=${counts}`,
    ]
  : [];
const built = await bundleNode(files, `.build/test-${process.pid}`);
const done = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-concurrency=2', ...reporters, ...options, ...built],
  { cwd: root, stdio: 'inherit' },
);
rmSync(`${root}/.build/test-${process.pid}`, { recursive: true, force: true });
process.exit(done.status ?? 1);
