// Usage: node scripts/nightly-mutation.mjs. The mutation scores of every area, a few hours on one core: writes
// docs/mutation-scores.md, and fails if an area scores less than there by more than half a point.
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
