// Mounts and unmounts file systems in the agent's mount namespace, by the programs of the system.
import { err, type Files, ok, type Processes, type Result } from '@meseta/base';
import { parseMountInfo } from '../mount-info.js';

const TIMEOUT_MS = 60_000;
/** The newer interface of the kernel, which mount(8) prefers, takes at most 256 bytes for the list of lower directories. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LIBMOUNT_FORCE_MOUNT2: 'always' };

export interface Mounts {
  /** Mounts at `target`; relative paths are below `directory`. */
  mount(type: string, options: string, target: string, directory: string): Promise<Result<void, string>>;
  /** The mount points at the path and below it, the last one first. */
  below(path: string): readonly string[];
  /** Unmounts what is mounted at the path and below it. */
  unmountAll(path: string): Promise<Result<void, string>>;
}

export function createMounts(files: Pick<Files, 'readTextNow'>, processes: Processes): Mounts {
  async function run(program: string, argv: readonly string[], directory?: string): Promise<Result<void, string>> {
    const request = { program, arguments: argv, environment: ENVIRONMENT, directory };
    const done = await processes.run(request, { timeoutMs: TIMEOUT_MS });
    if (!done.ok) return err(`${program}: ${done.error.message}`);
    const { end, stderr } = done.value;
    return end.kind === 'exited' && end.code === 0 ? ok(undefined) : err(stderr.trim() || `${program} failed`);
  }
  const below = (path: string): readonly string[] =>
    parseMountInfo(files.readTextNow('/proc/self/mountinfo') ?? '')
      .map(({ point }) => point)
      .filter((point) => point === path || point.startsWith(`${path}/`))
      .reverse();
  return {
    mount: (type, options, target, directory) => run('mount', ['-t', type, '-o', options, type, target], directory),
    below,
    async unmountAll(path) {
      for (const point of below(path)) {
        const done = await run('umount', [point]);
        // A process of the machine that has a file open there keeps the file system alive, but no longer mounted here.
        if (!done.ok) await run('umount', ['--lazy', point]);
      }
      const [left] = below(path);
      return left === undefined ? ok(undefined) : err(`${left}: can't be unmounted`);
    },
  };
}
