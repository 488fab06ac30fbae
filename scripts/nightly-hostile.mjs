// Usage: node scripts/nightly-hostile.mjs [MINUTES [SEED]]. A quarter of an hour (or so many minutes) of messages and calls
// at the size limits against real daemons, with a seed that no earlier night had: the day's number. What fails is repeated by
// the line that the test prints first.
import { setup } from './setup.mjs';

setup();
const { run } = await import('./lib.mjs');
const minutes = Number(process.argv[2] ?? 15);
process.env['MESETA_HOSTILE_SECONDS'] = String(minutes * 60);
process.env['MESETA_HOSTILE_SEED'] = process.argv[3] ?? String(Math.floor(Date.now() / 86_400_000));
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['scripts/test.mjs', 'packages/cli/src/integration/hostile-sizes.test.ts']);
