// The results stored in bench/scale/results: a JSON file per experiment, with the machine and the commit of each result.
import { readFileSync } from 'node:fs';
import type { Experiment, Results } from './program.js';

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
  const read = <Name extends Experiment>(name: Name): KeptResults[Name] =>
    JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
  return { allocation: read('allocation'), hold: read('hold'), load: read('load'), sharing: read('sharing') };
}
