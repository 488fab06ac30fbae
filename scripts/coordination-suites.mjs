// Usage: node scripts/coordination-suites.mjs. Runs the compliance suites of elections and logs with every store and writes
// docs/coordination-suites.md: which rule was tested with which store, and what the store was.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { bundleNode, root } from './lib.mjs';

const files = ['local-coordination', 'zookeeper/coordination', 'etcd/coordination'];
const tests = files.map((file) => `packages/coordination/src/${file}.test.ts`);
const { stdout } = spawnSync(process.execPath, ['scripts/test.mjs', ...tests, '--', '--test-reporter=tap'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 2 ** 28,
});
const folder = `.build/coordination-suites-${process.pid}`;
const [file] = await bundleNode(['scripts/coordination-suites/write.ts'], folder);
try {
  process.exitCode = spawnSync(process.execPath, [file], {
    cwd: root,
    input: stdout,
    stdio: ['pipe', 'inherit', 'inherit'],
  }).status;
} finally {
  rmSync(`${root}/${folder}`, { recursive: true, force: true });
}
