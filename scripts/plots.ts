// What scripts/plots.mjs starts: `run EXPERIMENT AGENTS` writes a result to standard output, `draw FOLDER` turns the
// results in FOLDER/data into plots in FOLDER.
import { readFileSync, writeFileSync } from 'node:fs';
import { drawPlots } from '@meseta/simulator/scale/draw';
import { EXPERIMENTS, type Experiment, type Results, runExperiment, SIZES_OF } from '@meseta/simulator/scale/program';

const [command, ...rest] = process.argv.slice(2);
if (command === 'run') {
  const [experiment, agents] = rest as [Experiment, string];
  process.stdout.write(JSON.stringify(runExperiment(experiment, Number(agents))));
} else if (command === 'sizes') process.stdout.write(JSON.stringify(SIZES_OF));
else {
  const [folder] = rest as [string];
  const read = (name: string): unknown => JSON.parse(readFileSync(`${folder}/data/${name}.json`, 'utf8')).results;
  const results = Object.fromEntries(EXPERIMENTS.map((name) => [name, read(name)])) as unknown as Results;
  for (const { name, svg } of drawPlots(results)) writeFileSync(`${folder}/${name}.svg`, svg);
}
