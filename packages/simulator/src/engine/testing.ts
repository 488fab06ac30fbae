// Containers for unit tests of the simulator's parts.
import type { ContainerId } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';

/** `command`: see containers.ts. */
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
