// Usage: npm test, or npm run verify. Installs missing npm packages and the system packages that tests need, then runs
// formatter, linter, types, the build, every test, and the conformance scenarios if they are in ../shared/conformance (or
// MESETA_CONFORMANCE). The last line is 'N passed, N failed, N skipped'; the counts are written to .build/verify.json.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { root, setup } from './setup.mjs';
import { hasZooKeeper, installSystemPackages } from './system-packages.mjs';

process.chdir(root);
setup();
installSystemPackages();
mkdirSync('.build', { recursive: true });

const conformance = process.env['MESETA_CONFORMANCE'] ?? resolve('../shared/conformance');
/** The groups of scenarios that must pass. */
const groups = [
  ...['scheduler_subscribe', 'scheduler_offers', 'scheduler_tasks', 'checks', 'fetcher', 'executors', 'agent'],
  ...['resources', 'operator_master', 'auth', 'fairness', 'metrics'],
];

let passed = 0;
let failed = 0;
let skipped = 0;

/**
 * Runs a command and adds its result to the counts: one passed or failed, or the numbers that `count.read` finds in its output.
 */
function step(name, argv, count) {
  const started = Date.now();
  const { MESETA_TEST_COUNTS: _, ...env } = process.env;
  const done = spawnSync(argv[0], argv.slice(1), {
    stdio: count?.fromOutput ? ['ignore', 'pipe', 'inherit'] : ['ignore', 'inherit', 'inherit'],
    env: { ...env, ...count?.env },
    maxBuffer: 1 << 28,
  });
  if (done.stdout) process.stdout.write(done.stdout);
  const counted = count?.read(done.stdout?.toString() ?? '') ?? [done.status === 0 ? 1 : 0, done.status === 0 ? 0 : 1];
  if (done.status !== 0 && counted[1] === 0) counted[1] = 1;
  passed += counted[0];
  failed += counted[1];
  console.log(`== ${name}: ${counted[1] === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}

const countsFile = resolve('.build/test-counts.tap');
step('formatter, linter, types', [process.execPath, 'scripts/check.mjs']);
step('build', [process.execPath, 'scripts/build.mjs']);
step('tests', [process.execPath, 'scripts/test.mjs'], {
  env: { MESETA_TEST_COUNTS: countsFile },
  read: () => {
    const text = existsSync(countsFile) ? readFileSync(countsFile, 'utf8') : '';
    const number = (label) => Number(new RegExp(`^# ${label} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    skipped += number('skipped');
    return [number('pass'), number('fail') + number('cancelled')];
  },
});
if (existsSync(`${conformance}/run.mjs`)) {
  if (hasZooKeeper()) groups.push('ha');
  else {
    skipped++;
    console.log('== conformance of ha: skipped, no ZooKeeper server');
  }
  // Its scenarios read the limits of cgroups in the hierarchies of version 1.
  if (
    process.getuid?.() === 0 &&
    ['cpu', 'memory'].every((name) => existsSync(`/sys/fs/cgroup/${name}/cgroup.procs`))
  ) {
    groups.push('isolation');
  } else {
    skipped++;
    console.log('== conformance of isolation: skipped, no root or no cgroups of version 1');
  }
  if (process.getuid?.() === 0 && existsSync('/sys/fs/cgroup')) groups.push('images');
  else {
    skipped++;
    console.log('== conformance of images: skipped, which needs root and cgroups');
  }
  step('conformance', [process.execPath, `${conformance}/run.mjs`, '--only', `^(${groups.join('|')})/`], {
    env: { MASTER_CMD: `${root}/bin/meseta master`, AGENT_CMD: `${root}/bin/meseta agent` },
    fromOutput: true,
    read: (output) => (/(\d+) passed, (\d+) failed\s*$/.exec(output) ?? [0, 0, 1]).slice(1).map(Number),
  });
} else {
  console.log('== conformance: skipped, no scenarios at ../shared/conformance');
}
writeFileSync('.build/verify.json', JSON.stringify({ passed, failed, skipped }));
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
