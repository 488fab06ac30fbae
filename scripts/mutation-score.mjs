// Usage: node scripts/mutation-score.mjs PATH... [--lines a-b] [--sample N] [--concurrency N] [--slow-tests]
// Puts one fault (mutant) at a time into the sources below the paths (files, folders, packages, master/core, agent/core),
// runs the unit tests of their package, and prints the mutants that no test detected. Scores of whole files are written to
// docs/mutation-scores.md. An interrupted run continues where it stopped. Slow tests (such as properties over every message)
// run with --slow-tests only; without them the score is a lower bound. --sample measures at most N mutants of each file,
// chosen by a hash, and the document says so.
import { parseArgs } from 'node:util';
import { acceptedReason } from './mutation/accepted.mjs';
import { workFor } from './mutation/areas.mjs';
import { scoreOf, survivorsText, writeScores } from './mutation/report.mjs';
import { removeTemporary, runArea } from './mutation/runner.mjs';

const usage =
  'Usage: node scripts/mutation-score.mjs PATH... [--lines a-b] [--sample N] [--concurrency N] [--slow-tests]';

function fail(message) {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        lines: { type: 'string' },
        sample: { type: 'string' },
        concurrency: { type: 'string', default: '1' },
        'slow-tests': { type: 'boolean', default: false },
      },
    });
    const concurrency = Number(values.concurrency);
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new Error('--concurrency: expected an integer of at least 1');
    const sample = values.sample === undefined ? undefined : Number(values.sample);
    if (sample !== undefined && (!Number.isInteger(sample) || sample < 1))
      throw new Error('--sample: expected an integer of at least 1');
    const range = values.lines === undefined ? undefined : /^(\d+)(?:-(\d+))?$/.exec(values.lines);
    if (range === null) throw new Error('--lines: expected a-b, such as 10-25');
    if (positionals.length === 0) throw new Error('expected at least one PATH');
    const lines = range && { from: Number(range[1]), to: Number(range[2] ?? range[1]) };
    return { work: workFor(positionals), lines, sample, concurrency, withSlow: values['slow-tests'] };
  } catch (error) {
    return fail(error.message);
  }
}

function showProgress(name) {
  let shownMs = 0;
  return (done, total) => {
    const now = performance.now();
    if (done < total && now - shownMs < 10_000) return;
    shownMs = now;
    console.error(`${name}: ${done} of ${total} mutants`);
  };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    removeTemporary();
    process.exit(1);
  });
}

const { work, lines, sample, concurrency, withSlow } = readArguments();
for (const item of work) {
  const wanted = ({ line }) => lines === undefined || (line >= lines.from && line <= lines.to);
  const progress = showProgress(item.area.name);
  const found = await runArea(item, { concurrency, wanted, progress, withSlow, sample });
  const mutants = found.mutants.map((mutant) => ({ ...mutant, accepted: acceptedReason(mutant) }));
  console.log(survivorsText(mutants));
  console.log(`${item.area.name}: ${scoreOf(mutants).text}`);
  if (lines === undefined)
    writeScores(item.area, mutants, { leftOut: found.leftOut, isWhole: item.whole, totals: found.totals });
}
