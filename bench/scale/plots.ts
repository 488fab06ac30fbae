// The program that scripts/plots.mjs runs: `run EXPERIMENT AGENTS` writes a result to standard output, `sizes` lists the
// experiments, `draw RESULTS PAGE PLOTS` draws the results in the folder RESULTS as plots in the folder PLOTS and as the
// tables of PAGE.
import { readFileSync, writeFileSync } from 'node:fs';
import { drawPlots } from './draw.js';
import { readKept } from './kept.js';
import { type Experiment, runExperiment, SIZES_OF } from './program.js';
import { withTables } from './tables.js';

const [command, ...rest] = process.argv.slice(2);
if (command === 'run') {
  const [experiment, agents] = rest as [Experiment, string];
  process.stdout.write(JSON.stringify(runExperiment(experiment, Number(agents))));
} else if (command === 'sizes') process.stdout.write(JSON.stringify(SIZES_OF));
else {
  const [results, page, plots] = rest as [string, string, string];
  const kept = readKept(results);
  for (const { name, svg } of drawPlots(kept)) writeFileSync(`${plots}/${name}.svg`, svg);
  writeFileSync(page, withTables(readFileSync(page, 'utf8'), kept));
}
