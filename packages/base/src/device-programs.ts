import type { SystemResult } from './ports.js';

/** Programs of the kernel (bpf(2)) that decide which devices the processes of a cgroup of version 2 can use. */
export interface DevicePrograms {
  /**
   * Attaches a program to the cgroup in the directory in the place of others, until the cgroup is removed. A device is used
   * where all programs of the cgroup, and of those above it, allow it.
   */
  attach(directory: string, program: Uint8Array): SystemResult<void>;
}
