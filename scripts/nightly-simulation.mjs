// Usage: node scripts/nightly-simulation.mjs [DURATION]. Runs simulations for DURATION (60mins). The seeds start with the number of
// the day, so each night has new ones.
import { setup } from './setup.mjs';

setup();
const { run } = await import('./lib.mjs');
const duration = process.argv[2] ?? '60mins';
const day = Math.floor(Date.now() / 86_400_000);
const from = day * 100_000;
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['bin/meseta', 'sim', `--seeds=${from}..${from}`, `--duration=${duration}`]);
