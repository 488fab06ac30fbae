// Chooses the launcher of an agent by `--launcher` and by what the machine has.
import { err, type Files, type Processes, type Result } from '@meseta/base';
import { readCgroupLayout } from '../cgroups/host.js';
import { createProcessCgroups, type ProcessCgroups } from '../cgroups/process-cgroups.js';
import type { CgroupsOptions } from '../isolators/cgroups-isolator.js';

export interface LauncherOptions {
  /** `--launcher`; undefined: linux where this machine can do it. */
  readonly name: 'linux' | 'posix' | undefined;
  /** `--cgroups_destroy_timeout` */
  readonly destroyTimeoutMs: number;
}

const CAP_SYS_ADMIN = 21;
/** The first with mount_setattr(2); the other calls that mounts need are older. */
const MIN_KERNEL = { major: 5, minor: 12 };

function findLack(files: Files, processes: Processes, capabilities: readonly number[]): string | undefined {
  if (processes.self.uid !== 0) return 'the agent does not run as root';
  if (!capabilities.includes(CAP_SYS_ADMIN)) return 'the agent does not have the capability CAP_SYS_ADMIN';
  const release = files.readTextNow('/proc/sys/kernel/osrelease')?.trim() ?? '';
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const isOld = major < MIN_KERNEL.major || (major === MIN_KERNEL.major && minor < MIN_KERNEL.minor);
  return isOld ? `Linux ${release} is older than ${MIN_KERNEL.major}.${MIN_KERNEL.minor}` : undefined;
}

/** The cgroups of the linux launcher, or why the launcher is posix. */
export async function findLinuxLauncher(
  ports: { readonly files: Files; readonly processes: Processes },
  name: LauncherOptions['name'],
  cgroups: Pick<CgroupsOptions, 'hierarchy' | 'root'>,
  capabilities: readonly number[],
): Promise<Result<ProcessCgroups, string>> {
  if (name === 'posix') return err('needs --launcher=linux');
  const { files, processes } = ports;
  const lack = findLack(files, processes, capabilities);
  if (lack !== undefined) return err(lack);
  return createProcessCgroups(ports, readCgroupLayout(files, cgroups.hierarchy), cgroups.root);
}
