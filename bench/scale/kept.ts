// The results that are kept in bench/scale/results: a file of JSON an experiment, with the machine and, of each result, the
// commit that it was measured at.
import { readFileSync } from 'node:fs';
import { EXPERIMENTS, type Experiment, type Results } from './program.js';

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly node: string;
}

export interface Signed {
  readonly agents: number;
  /** Missing where it was not measured from a checkout. */
  readonly commit?: string;
}

export type KeptResults = {
  readonly [Name in Experiment]: {
    readonly machine: Machine;
    readonly results: readonly (Results[Name][number] & Signed)[];
  };
};

export function readKept(folder: string): KeptResults {
  const read = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
  return Object.fromEntries(EXPERIMENTS.map((name) => [name, read(name)])) as unknown as KeptResults;
}
