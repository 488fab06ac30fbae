// Writing into a sandbox with the rights of its user: copies and extractions are run as that user.
import { err, type Files, ok, type Processes, type Result } from '@meseta/base';
import type { LaunchOwner } from '../plan.js';
import { openSandbox } from '../sandbox.js';
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

// Each runs in the sandbox. The first argument is what is read: a fifo or a device might never end.
const onlyFiles = [
  'if [ -e "$1" ] && [ ! -f "$1" ]; then echo "$1: expected a regular file, got a directory, fifo or device" >&2; exit 1; fi',
];

// Arguments: source, path below the sandbox, mode or nothing.
const placeScript = [
  ...onlyFiles,
  'top=$(pwd -P) && rest=$2',
  'while case $rest in */*) ;; *) false ;; esac; do',
  `  part=\${rest%%/*} rest=\${rest#*/}`,
  '  mkdir -p -- "./$part" && cd -P -- "./$part" || exit',
  '  case $(pwd -P)/ in "$top"/*) ;; *) echo "$2: a link in the sandbox leads out of it" >&2; exit 1 ;; esac',
  'done',
  'if [ -L "./$rest" ]; then echo "$2: a link is there" >&2; exit 1; fi',
  'cp -- "$1" "./$rest" || exit',
  '[ -z "$3" ] || chmod "$3" "./$rest"',
].join('\n');

const copyScript = [...onlyFiles, 'exec cat <"$1" >"$2"'].join('\n');

// Arguments: archive, for gzip the name of the result.
const extractScripts: Readonly<Record<Archive, string>> = {
  tar: 'exec tar -x -o -f "$1"',
  zip: 'exec unzip -o -q "$1"',
  gzip: 'if [ -L "./$2" ]; then echo "$2: a link is there" >&2; exit 1; fi; exec gzip -d -c <"$1" >"./$2"',
};

export function createPlacer(files: Files, processes: Processes, setpriv: string | undefined): Placer {
  async function asUser(script: string, args: readonly string[], job: Job): Done {
    const { owner } = job;
    const shell = ['/bin/sh', '-c', script, 'sh', ...args];
    const switching =
      owner === undefined || setpriv === undefined
        ? []
        : [setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups', '--'];
    const [program = '', ...rest] = [...switching, ...shell];
    const sandbox = await openSandbox(files, job.sandbox);
    if (!sandbox.ok) return err(sandbox.error.message);
    const directory = sandbox.value.ownPath;
    const run = await processes.run(
      { program, arguments: rest, directory, owner: switching.length > 0 ? undefined : owner },
      { timeoutMs, signal: job.abort },
    );
    sandbox.value.close();
    if (!run.ok) return err(run.error.message);
    if (job.abort.aborted) return err('stopped');
    if (run.value.end.kind === 'exited' && run.value.end.code === 0) return ok(undefined);
    return err(run.value.stderr.trim() || `${JSON.stringify(run.value.end)}, without a word`);
  }

  return {
    place: (from, to, mode, job) => asUser(placeScript, [from, to, mode?.toString(8) ?? ''], job),
    copyContents: (from, to, job) => asUser(copyScript, [from, to], job),
    async extract(from, name, job) {
      const kind = archiveKind(name);
      if (kind === undefined) return ok(false);
      const bare = name.slice(name.lastIndexOf('/') + 1).replace(/\.gz$/, '');
      const done = await asUser(extractScripts[kind], [from, bare], job);
      return done.ok ? ok(true) : err(`it can't be extracted: ${done.error}`);
    },
  };
}
