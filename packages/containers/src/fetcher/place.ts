// Writing into a sandbox with the rights of its user: copies and extractions are run as that user.
import { err, ok, type Processes, type Result } from '@meseta/base';
import type { LaunchOwner } from '../plan.js';
import { type Archive, archiveKind } from './uri.js';

/** One fetch of a container. */
export interface Job {
  readonly sandbox: string;
  /** undefined: the agent's own user. */
  readonly owner: LaunchOwner | undefined;
  readonly abort: AbortSignal;
}

type Done = Promise<Result<void, string>>;

export interface Placer {
  /** Copies a file to a path below the sandbox, made as needed. `mode` undefined: the file's own, less the umask. */
  place(from: string, to: string, mode: number | undefined, job: Job): Done;
  /** The contents of `from`, which the user may read, into a file that the user may write. */
  copyContents(from: string, to: string, job: Job): Done;
  /** Extracts what is an archive by its name into the sandbox; false: it isn't one. `name`: what the file is called. */
  extract(from: string, name: string, job: Job): Promise<Result<boolean, string>>;
}

const timeoutMs = 3_600_000;

// Arguments: source, sandbox, path below the sandbox, mode or nothing.
const placeScript = [
  'cd "$2" || exit',
  'case $3 in */*) mkdir -p -- "$(dirname -- "$3")" || exit ;; esac',
  'cp -- "$1" "./$3" || exit',
  '[ -z "$4" ] || chmod "$4" "./$3"',
].join('\n');

// Arguments: archive, sandbox, for gzip the name of the result.
const extractScripts: Readonly<Record<Archive, string>> = {
  tar: 'cd "$2" && exec tar -x -o -f "$1"',
  zip: 'cd "$2" && exec unzip -o -q "$1"',
  gzip: 'cd "$2" && exec gzip -d -c <"$1" >"./$3"',
};

export function createPlacer(processes: Processes, setpriv: string | undefined): Placer {
  async function asUser(script: string, args: readonly string[], job: Job): Done {
    const { owner } = job;
    const shell = ['/bin/sh', '-c', script, 'sh', ...args];
    const switching =
      owner === undefined || setpriv === undefined
        ? []
        : [setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups', '--'];
    const [program = '', ...rest] = [...switching, ...shell];
    const run = await processes.run(
      { program, arguments: rest, owner: switching.length > 0 ? undefined : owner },
      { timeoutMs, signal: job.abort },
    );
    if (!run.ok) return err(run.error.message);
    if (job.abort.aborted) return err('stopped');
    if (run.value.end.kind === 'exited' && run.value.end.code === 0) return ok(undefined);
    return err(run.value.stderr.trim() || `${JSON.stringify(run.value.end)}, without a word`);
  }

  return {
    place: (from, to, mode, job) => asUser(placeScript, [from, job.sandbox, to, mode?.toString(8) ?? ''], job),
    copyContents: (from, to, job) => asUser('cat <"$1" >"$2"', [from, to], job),
    async extract(from, name, job) {
      const kind = archiveKind(name);
      if (kind === undefined) return ok(false);
      const bare = name.slice(name.lastIndexOf('/') + 1).replace(/\.gz$/, '');
      const done = await asUser(extractScripts[kind], [from, job.sandbox, bare], job);
      return done.ok ? ok(true) : err(`it can't be extracted: ${done.error}`);
    },
  };
}
