// What an agent provides whose isolators are those of every Linux: the default of tests and of the simulator.
import { err, ok } from '@meseta/base';
import type { Capabilities } from '../types.js';

export const defaultCapabilities: Capabilities = {
  cpusLimits: err('limits of cpus need the isolator cgroups/cpu'),
  memLimits: err('limits of mem need the isolator cgroups/mem'),
  rlimits: ok(undefined),
  sandboxPathVolumes: ok(undefined),
  hostPathVolumes: err('needs the isolator volume/host_path'),
  secretVolumes: err('needs the isolator volume/secret'),
  mounts: err('needs the isolator filesystem/linux'),
  capabilities: err('needs the isolator linux/capabilities'),
  seccomp: err('needs the isolator linux/seccomp'),
  ipcNamespaces: err('needs the isolator namespaces/ipc'),
  networks: err('needs the isolator network/cni'),
  images: err('this agent has no image provider'),
  imageVolumes: err('this agent has no image provider'),
};
