// Usage: node scripts/nightly-hostile.mjs [DURATION [SEED]]. Sends messages and calls at the size limits to real daemons for
// DURATION (15mins). The default seed is the number of the day, so each night has a new one. The first line of the test's output is
// the command that repeats a failure.
import { setup } from './setup.mjs';

setup();
const { run } = await import('./lib.mjs');
process.env['MESETA_HOSTILE_DURATION'] = process.argv[2] ?? '15mins';
process.env['MESETA_HOSTILE_SEED'] = process.argv[3] ?? String(Math.floor(Date.now() / 86_400_000));
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['scripts/test.mjs', 'packages/cli/src/integration/hostile-sizes.test.ts']);
