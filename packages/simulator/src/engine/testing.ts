// What unit tests of the simulator's parts need: a network without faults, and containers.
import type { ContainerId } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';
import type { NetworkOptions } from './network.js';

export const QUIET_NETWORK: NetworkOptions = {
  meanDelayMs: 1,
  breakChance: 0,
  stallChance: 0,
  repeatChance: 0,
  unacknowledgedMs: 20_000,
};

/** `command`: in the words of containers.ts. */
export const containerSpec = (
  id: string,
  command: string,
  environment: ContainerSpec['environment'] = {},
): ContainerSpec => ({
  containerId: id as ContainerId,
  sandbox: '/sandbox',
  user: undefined,
  command: { value: command },
  environment,
  uris: [],
  rlimits: undefined,
  resources: [],
  container: undefined,
  volumes: [],
});
