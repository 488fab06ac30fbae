// Writes into a sandbox with the rights of its user: a shell that runs as that user copies and extracts.
//
// PLACER-1: no copy and no extraction writes more bytes than the job's budget allows, whatever sizes an archive declares. The
//     bytes that were written are taken from the budget.
import { err, type Files, ok, type Processes, type Result } from '@meseta/base';
import type { LaunchOwner } from '../plan/plan.js';
import { openSandbox } from '../sandbox/sandbox.js';
import type { ByteBudget } from './byte-budget.js';
import { type Archive, archiveKind } from './uri.js';

/** One fetch of a container. */
export interface Job {
  readonly sandbox: string;
  /** undefined: the agent's own user. */
  readonly owner: LaunchOwner | undefined;
  readonly abort: AbortSignal;
  readonly budget: ByteBudget;
}

export interface Placer {
  /** Copies a file to a path below the sandbox, and makes its directories. `mode` undefined: the file's own less the umask. */
  place(from: string, to: string, mode: number | undefined, job: Job): Promise<Result<void, string>>;
  /** Copies the content of a file that the user may read into one that the user may write. */
  copyContents(from: string, to: string, job: Job): Promise<Result<void, string>>;
  /** Extracts a file into the sandbox if its `name` is that of an archive. Returns whether it is. */
  extract(from: string, name: string, job: Job): Promise<Result<boolean, string>>;
}

const SCRIPT_TIMEOUT_MS = 3_600_000;

// The scripts run in the sandbox. Their first argument is the number of bytes that may be written, the second the file that is
// read: a fifo or a device might never end. No file grows beyond the limit; each script reports the number of bytes at its end.
const checkArguments = [
  'max=$1 && shift && ulimit -f "$(((max + 511) / 512))" || exit',
  'if [ -e "$1" ] && [ ! -f "$1" ]; then echo "$1: expected a regular file, got a directory, fifo or device" >&2; exit 1; fi',
];

// Arguments: source, path below the sandbox, mode or nothing.
const placeScript = [
  ...checkArguments,
  'top=$(pwd -P) && rest=$2',
  'while case $rest in */*) ;; *) false ;; esac; do',
  `  part=\${rest%%/*} rest=\${rest#*/}`,
  '  mkdir -p -- "./$part" && cd -P -- "./$part" || exit',
  '  case $(pwd -P)/ in "$top"/*) ;; *) echo "$2: a link in the sandbox leads out of it" >&2; exit 1 ;; esac',
  'done',
  'if [ -L "./$rest" ]; then echo "$2: a link is there" >&2; exit 1; fi',
  'cp -- "$1" "./$rest" || exit',
  '[ -z "$3" ] || chmod "$3" "./$rest" || exit',
  'bytes=$(wc -c <"./$rest") && [ "$bytes" -le "$max" ] || { echo "$tooMany" >&2; exit 1; }',
  'echo "$bytes bytes" >&2',
].join('\n');

const copyScript = [...checkArguments, 'exec cat <"$1" >"$2"'].join('\n');

// Runs the decompressor in `$unpack` and passes on no more bytes than the limit. dd reports their number on stderr. A
// decompressor that writes more ends by SIGPIPE.
const unpackLimited = [
  '{ $unpack <"$1" || [ $? -ge 141 ] || echo "$broken" >&2; } |',
  '{ if head -c "$max" && [ "$(head -c 1 | wc -c)" -ne 0 ]; then echo "$tooMany" >&2; fi; } |',
  'LC_ALL=C dd bs=65536 |',
].join(' ');

/** Chooses the decompressor by the first bytes of the file, as tar does for files that it can seek in. */
const findUnpack = [
  'case $(od -An -tx1 -N4 "$1" | tr -d " \\n") in',
  '1f8b*) unpack="gzip -dc" ;; 425a68*) unpack="bzip2 -dc" ;; fd377a58) unpack="xz -dc" ;;',
  '28b52ffd) unpack="zstd -dc" ;; *) unpack=cat ;; esac',
].join(' ');

/** The highest number of bytes that deflate unpacks one byte to. */
const DEFLATE_RATIO = 1032;

// Arguments: the archive; for gzip also the name of the result.
const extractScripts: Readonly<Record<Archive, string>> = {
  tar: [...checkArguments, findUnpack, `${unpackLimited} tar -x -o -f -`].join('\n'),
  // The sizes in a zip's directory may be false: the content is counted first, except of small archives.
  zip: [
    ...checkArguments,
    `bytes=$(($(wc -c <"$1") * ${DEFLATE_RATIO}))`,
    'if [ "$bytes" -gt "$((max / 16))" ]; then bytes=$(unzip -p "$1" </dev/null | head -c "$((max + 1))" | wc -c); fi',
    'if [ "$bytes" -gt "$max" ]; then echo "$tooMany" >&2; exit 1; fi',
    'echo "$bytes bytes" >&2',
    'exec unzip -o -q "$1" </dev/null',
  ].join('\n'),
  gzip: [
    ...checkArguments,
    'if [ -L "./$2" ]; then echo "$2: a link is there" >&2; exit 1; fi',
    `unpack="gzip -dc"; ${unpackLimited} cat >"./$2"`,
  ].join('\n'),
};

const TOO_MANY = 'more bytes than it may have';
const BROKEN = 'its compressed data is damaged';
const SIGXFSZ = 25;
/** dd's line of records, and every line of bytes. */
const COUNT_LINE = /^(?:\d+\+\d+ records (?:in|out)|(\d+) bytes.*)$/;

interface ScriptReport {
  /** The error messages of the programs. */
  readonly errors: string;
  readonly bytes: number;
}

function parseStderr(stderr: string): ScriptReport {
  const lines = stderr.split('\n');
  const counts = lines.map((line) => COUNT_LINE.exec(line)?.[1]).filter((bytes) => bytes !== undefined);
  const errors = lines.filter((line) => !COUNT_LINE.test(line)).join('\n');
  return { errors: errors.trim(), bytes: Number(counts.at(-1) ?? 0) };
}

export function createPlacer(files: Files, processes: Processes, setpriv: string | undefined): Placer {
  async function runAsUser(script: string, args: readonly string[], job: Job): Promise<Result<void, string>> {
    const { owner, budget } = job;
    const maxBytes = budget.remainingBytes;
    const text = `tooMany='${TOO_MANY}' broken='${BROKEN}'\n${script}`;
    const shell = ['/bin/sh', '-c', text, 'sh', String(maxBytes), ...args];
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
      { timeoutMs: SCRIPT_TIMEOUT_MS, signal: job.abort },
    );
    sandbox.value.close();
    if (!run.ok) return err(run.error.message);
    if (job.abort.aborted) return err('stopped');
    const { end, stderr } = run.value;
    const report = parseStderr(stderr);
    budget.consume(report.bytes);
    const isOverLimit =
      (end.kind === 'signaled' && end.signal === SIGXFSZ) ||
      (end.kind === 'exited' && end.code === 128 + SIGXFSZ) ||
      stderr.includes(TOO_MANY);
    if (isOverLimit)
      return err(
        `it has ${TOO_MANY}: the limit left ${maxBytes} bytes (--fetcher_max_uri_size, --fetcher_max_task_size)`,
      );
    if (end.kind === 'exited' && end.code === 0 && !stderr.includes(BROKEN)) return ok(undefined);
    return err(report.errors || `ended with ${JSON.stringify(end)}, without an error message`);
  }

  return {
    place: (from, to, mode, job) => runAsUser(placeScript, [from, to, mode?.toString(8) ?? ''], job),
    copyContents: (from, to, job) => runAsUser(copyScript, [from, to], job),
    async extract(from, name, job) {
      const kind = archiveKind(name);
      if (kind === undefined) return ok(false);
      const unpackedName = name.slice(name.lastIndexOf('/') + 1).replace(/\.gz$/, '');
      const done = await runAsUser(extractScripts[kind], [from, unpackedName], job);
      return done.ok ? ok(true) : err(`it can't be extracted: ${done.error}`);
    },
  };
}
