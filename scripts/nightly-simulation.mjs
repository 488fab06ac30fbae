// Usage: node scripts/nightly-simulation.mjs [MINUTES]. Runs simulations for MINUTES (60). The seeds start with the number of
// the day, so each night has new ones.
import { setup } from './setup.mjs';

setup();
const { run } = await import('./lib.mjs');
const minutes = process.argv[2] ?? '60';
const day = Math.floor(Date.now() / 86_400_000);
const from = day * 100_000;
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['bin/meseta', 'sim', `--seeds=${from}..${from}`, `--minutes=${minutes}`]);
