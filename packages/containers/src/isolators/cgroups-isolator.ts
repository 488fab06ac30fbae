// What the isolators of cgroups have in common: each makes a cgroup for a container in the hierarchies of its controllers,
// sets the limits in it, and reads what the container uses.
import { type Clock, type DevicePrograms, err, type Files, ok, type Result } from '@meseta/base';
import {
  type Cgroup,
  type ContainerCgroups,
  createContainerCgroups,
  findHierarchies,
  type NeededControllers,
} from '../cgroups/container-cgroups.js';
import type { Demand } from '../cgroups/demand.js';
import type { CgroupHierarchy, CgroupLayout } from '../cgroups/layout.js';
import { MAX_CONTROL_FILE_BYTES } from '../cgroups/parse.js';
import { type ContainerRecord, recordOf } from '../lifecycle.js';
import type { Isolator, Usage } from './isolator.js';

/** The flags of the agent for cgroups. */
export interface CgroupsOptions {
  /** `--cgroups_hierarchy` */
  readonly hierarchy: string;
  /** `--cgroups_root` */
  readonly root: string;
  /** `--cgroups_enable_cfs` */
  readonly enableCfs: boolean;
  /** `--cgroups_limit_swap` */
  readonly limitSwap: boolean;
  /** `--cgroups_cpu_enable_pids_and_tids_count` */
  readonly countProcesses: boolean;
  /** `--revocable_cpu_low_priority` */
  readonly lowPriorityOfRevocableCpus: boolean;
  /** `--cgroups_pids_limit`; undefined: a share of what the machine can have. */
  readonly pidsLimit: number | undefined;
  /** `--allowed_devices` */
  readonly allowedDevices: string | undefined;
  /** Of cgroups version 2, or why this machine has none. */
  readonly devicePrograms: Result<DevicePrograms, string>;
}

export interface CgroupsPorts extends CgroupsOptions {
  readonly files: Files;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly layout: CgroupLayout;
  readonly warn: (message: string) => void;
  /** Why containers have no cgroups on this agent, whatever the machine has. */
  readonly obstacle: string | undefined;
}

/** A file and the value that is written to it. */
export type Setting = readonly [controller: string, file: string, value: string | number];

/** Writes the values in their order, up to one that the kernel does not take. */
export async function writeSettings(
  files: Files,
  { directories }: Cgroup,
  settings: readonly Setting[],
): Promise<Result<void, string>> {
  for (const [controller, file, value] of settings) {
    const written = await files.write(`${directories.get(controller)}/${file}`, String(value));
    if (!written.ok) return err(`${file}: ${written.error.message}`);
  }
  return ok(undefined);
}

export interface CgroupIsolatorParts extends Pick<Isolator, 'name' | 'provides'> {
  readonly controllers: NeededControllers;
  /** Sets the limits. `isNew`: for the first time. */
  setLimits?(cgroup: Cgroup, demand: Demand, isNew: boolean): Promise<Result<void, string>>;
  usage?(cgroup: Cgroup, demand: Demand): Usage;
}

export function createCgroupIsolator(
  { files, layout, root, obstacle, warn }: CgroupsPorts,
  { name, provides, controllers, setLimits, usage }: CgroupIsolatorParts,
): { readonly isolator: Isolator; readonly cgroups: ContainerCgroups } {
  const found = findHierarchies(layout, controllers);
  const hierarchies: ReadonlyMap<string, CgroupHierarchy> = found.ok ? found.value : new Map();
  const cgroups = createContainerCgroups(files, hierarchies, root, setLimits ?? (async () => ok(undefined)));
  async function update(record: ContainerRecord): Promise<void> {
    const updated = await cgroups.update(record);
    if (!updated.ok)
      warn(`${name}: the limits of the container ${record.containerId} can't be changed: ${updated.error}`);
  }
  const isolator: Isolator = {
    name,
    ...(provides === undefined ? {} : { provides }),
    supports() {
      if (obstacle !== undefined) return err(obstacle);
      return found.ok ? ok(undefined) : found;
    },
    async prepare(spec) {
      const prepared = await cgroups.prepare(recordOf(spec));
      if (!prepared.ok) return err(`${name}: ${prepared.error}`);
      return ok({ cgroups: [...new Set(prepared.value.directories.values())] });
    },
    recover: (alive) => cgroups.recover(alive),
    update,
    // Its resources may have changed while it started.
    watch: (record) => void update(record),
    cleanUp: (containerId) => cgroups.cleanUp(containerId),
  };
  if (usage === undefined) return { isolator, cgroups };
  return {
    isolator: {
      ...isolator,
      usage(containerId) {
        const found = cgroups.cgroupNamed(containerId);
        return found?.isMember === true ? usage(found.cgroup, found.demand) : {};
      },
      sharedUsage(containerId) {
        const found = cgroups.cgroupNamed(containerId);
        return found?.isMember === false ? usage(found.cgroup, found.demand) : undefined;
      },
    },
    cgroups,
  };
}

/** Reads the control file of a cgroup; undefined if this kernel does not have it. */
export const readControl = (
  files: Files,
  { directories }: Cgroup,
  controller: string,
  file: string,
): string | undefined => files.readTextNow(`${directories.get(controller)}/${file}`, MAX_CONTROL_FILE_BYTES);
