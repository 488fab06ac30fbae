// Usage: node scripts/nightly-mutation.mjs. Measures the mutation scores of all areas (a few hours on one core), writes
// docs/mutation-scores.md, and exits 1 if the score of an area has fallen by more than half a point.
import { setPriority } from 'node:os';
import { setup } from './setup.mjs';

setup();
setPriority(19);
const { run } = await import('./lib.mjs');
const { scoredAreas } = await import('./mutation/areas.mjs');
const { scoresNow } = await import('./mutation/report.mjs');
const before = scoresNow();
await import('./generate.mjs');
run(process.execPath, ['scripts/mutation-score.mjs', '--slow-tests', ...scoredAreas.map(({ name }) => name)]);
const lower = [...scoresNow()].filter(([name, score]) => score < (before.get(name) ?? 0) - 0.5);
for (const [name, score] of lower) console.error(`${name}: ${score} %, was ${before.get(name)} %`);
process.exitCode = lower.length === 0 ? 0 : 1;
