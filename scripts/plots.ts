// Started by scripts/plots.mjs: `run EXPERIMENT AGENTS` writes a result to standard output; `draw PAGE FOLDER` draws the
// results in FOLDER/data as plots in FOLDER and as tables in PAGE.
import { readFileSync, writeFileSync } from 'node:fs';
import { drawPlots } from '@meseta/simulator/scale/draw';
import { readKept } from '@meseta/simulator/scale/kept';
import { type Experiment, runExperiment, SIZES_OF } from '@meseta/simulator/scale/program';
import { withTables } from '@meseta/simulator/scale/tables';

const [command, ...rest] = process.argv.slice(2);
if (command === 'run') {
  const [experiment, agents] = rest as [Experiment, string];
  process.stdout.write(JSON.stringify(runExperiment(experiment, Number(agents))));
} else if (command === 'sizes') process.stdout.write(JSON.stringify(SIZES_OF));
else {
  const [page, folder] = rest as [string, string];
  const kept = readKept(`${folder}/data`);
  for (const { name, svg } of drawPlots(kept)) writeFileSync(`${folder}/${name}.svg`, svg);
  writeFileSync(page, withTables(readFileSync(page, 'utf8'), kept));
}
