// How every benchmark of this folder is run: `benchmark` once at the end of its main.ts, which takes the options
// --full, --runs=N and --json=FILE, prints the table of its figures, or writes them to the file, and ends with status 0.
import { writeFileSync } from 'node:fs';
import { type Figure, figuresTable, type Measured, summarize } from './figures.js';

export interface Scale {
  /** The sizes that the aims speak of; otherwise smaller ones that take seconds. */
  readonly full: boolean;
}

const SHORT_RUNS = 1;
const FULL_RUNS = 5;

/** `fullRuns`: for a benchmark that repeats its measurements itself, or that would take hours. */
export async function benchmark(
  name: string,
  run: (scale: Scale) => Promise<readonly Measured[]>,
  fullRuns = FULL_RUNS,
): Promise<void> {
  const argv = process.argv.slice(2);
  const option = (key: string): string | undefined =>
    argv.find((word) => word.startsWith(`--${key}=`))?.slice(key.length + 3);
  const scale = { full: argv.includes('--full') };
  const count = Number(option('runs') ?? (scale.full ? fullRuns : SHORT_RUNS));
  const runs: (readonly Measured[])[] = [];
  for (let at = 0; at < count; at++) runs.push(await run(scale));
  const figures: readonly Figure[] = summarize(name, runs);
  const file = option('json');
  if (file === undefined) console.log(figuresTable(figures));
  else writeFileSync(file, JSON.stringify(figures));
}
