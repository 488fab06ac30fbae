// What the containers that share a cgroup may use together. Pure.
import { isRevocable, quantitiesOf, quantity } from '@meseta/resources';
import type { Resource, ValueScalar } from '@meseta/wire';

const MEGABYTE = 2 ** 20;

export interface Demand {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly gpus: number;
  readonly hasRevocableCpus: boolean;
  /** Infinity: unlimited; undefined: no limit beside the request is given. */
  readonly cpusLimit: number | undefined;
  readonly memoryLimitBytes: number | undefined;
}

/** What one of the containers may use. */
export interface Share {
  readonly resources: readonly Resource[];
  /** Upper limits beyond the resources, by their names. Infinity: no limit. */
  readonly limits?: { readonly [name: string]: ValueScalar } | undefined;
}

type Limited = 'cpus' | 'mem';

const requestOf = ({ resources }: Share, name: Limited | 'gpus'): number =>
  quantity(quantitiesOf(resources), name) / 1000;

/** A share without a limit counts with its request. */
function limitOf(shares: readonly Share[], name: Limited): number | undefined {
  if (shares.every(({ limits }) => limits?.[name] === undefined)) return undefined;
  return shares.reduce((sum, share) => sum + (share.limits?.[name]?.value ?? requestOf(share, name)), 0);
}

export function demandOf(shares: readonly Share[]): Demand {
  const all = shares.flatMap(({ resources }) => resources);
  const memoryLimit = limitOf(shares, 'mem');
  return {
    cpus: requestOf({ resources: all }, 'cpus'),
    memoryBytes: requestOf({ resources: all }, 'mem') * MEGABYTE,
    gpus: requestOf({ resources: all }, 'gpus'),
    hasRevocableCpus: all.some((resource) => resource.name === 'cpus' && isRevocable(resource)),
    cpusLimit: limitOf(shares, 'cpus'),
    memoryLimitBytes: memoryLimit === undefined ? undefined : memoryLimit * MEGABYTE,
  };
}
