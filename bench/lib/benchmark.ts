// Runs a benchmark. Each main.ts calls `benchmark` once; it parses the options --full, --runs=N and --json=FILE and prints the
// table of figures or writes them to the file.
import { writeFileSync } from 'node:fs';
import { type Figure, figuresTable, type Measured, summarize } from './figures.js';

export interface Scale {
  /** The sizes for which the targets are defined; otherwise smaller ones that take seconds. */
  readonly full: boolean;
}

const SHORT_RUNS = 1;
const FULL_RUNS = 5;

/** `fullRuns`: fewer for a benchmark that repeats its measurements itself or takes long. */
export async function benchmark(
  name: string,
  run: (scale: Scale) => Promise<readonly Measured[]>,
  fullRuns = FULL_RUNS,
): Promise<void> {
  const argv = process.argv.slice(2);
  const option = (key: string): string | undefined =>
    argv.find((argument) => argument.startsWith(`--${key}=`))?.slice(key.length + 3);
  const scale = { full: argv.includes('--full') };
  const count = Number(option('runs') ?? (scale.full ? fullRuns : SHORT_RUNS));
  const runs: (readonly Measured[])[] = [];
  for (let at = 0; at < count; at++) runs.push(await run(scale));
  const figures: readonly Figure[] = summarize(name, runs);
  const file = option('json');
  if (file === undefined) console.log(figuresTable(figures));
  else writeFileSync(file, JSON.stringify(figures));
}
