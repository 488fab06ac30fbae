// Writing into a sandbox with the rights of its user: copies and extractions are run as that user.
//
// PLACER-1: no copy and no extraction writes more bytes than the job's budget has left, whatever sizes an archive names;
//     what was written is taken from the budget.
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

// Each runs in the sandbox. The first argument is how many bytes may be written, the next what is read: a fifo or a device
// might never end. No file grows beyond the limit; each script ends by saying how many bytes there were.
const begin = [
  'max=$1 && shift && ulimit -f "$(((max + 511) / 512))" || exit',
  'if [ -e "$1" ] && [ ! -f "$1" ]; then echo "$1: expected a regular file, got a directory, fifo or device" >&2; exit 1; fi',
];

// Arguments: source, path below the sandbox, mode or nothing.
const placeScript = [
  ...begin,
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

const copyScript = [...begin, 'exec cat <"$1" >"$2"'].join('\n');

// Runs the decompressor that `$unpack` names, lets no more than the limit through, and counts it (dd says so on stderr). A
// decompressor whose reader has had enough ends by SIGPIPE.
const limited = [
  '{ $unpack <"$1" || [ $? -ge 141 ] || echo "$broken" >&2; } |',
  '{ if head -c "$max" && [ "$(head -c 1 | wc -c)" -ne 0 ]; then echo "$tooMany" >&2; fi; } |',
  'LC_ALL=C dd bs=65536 |',
].join(' ');

/** By the first bytes of the file, as tar does it where it can go back to them. */
const findUnpack = [
  'case $(od -An -tx1 -N4 "$1" | tr -d " \\n") in',
  '1f8b*) unpack="gzip -dc" ;; 425a68*) unpack="bzip2 -dc" ;; fd377a58) unpack="xz -dc" ;;',
  '28b52ffd) unpack="zstd -dc" ;; *) unpack=cat ;; esac',
].join(' ');

/** Deflate makes no byte into more than this many. */
const DEFLATE_RATIO = 1032;

// Arguments: archive, for gzip the name of the result.
const extractScripts: Readonly<Record<Archive, string>> = {
  tar: [...begin, findUnpack, `${limited} tar -x -o -f -`].join('\n'),
  // What its directory says of sizes may be a lie: of all but small archives the contents are counted first.
  zip: [
    ...begin,
    `bytes=$(($(wc -c <"$1") * ${DEFLATE_RATIO}))`,
    'if [ "$bytes" -gt "$((max / 16))" ]; then bytes=$(unzip -p "$1" </dev/null | head -c "$((max + 1))" | wc -c); fi',
    'if [ "$bytes" -gt "$max" ]; then echo "$tooMany" >&2; exit 1; fi',
    'echo "$bytes bytes" >&2',
    'exec unzip -o -q "$1" </dev/null',
  ].join('\n'),
  gzip: [
    ...begin,
    'if [ -L "./$2" ]; then echo "$2: a link is there" >&2; exit 1; fi',
    `unpack="gzip -dc"; ${limited} cat >"./$2"`,
  ].join('\n'),
};

const TOO_MANY = 'more bytes than it may have';
const BROKEN = 'its compressed data is damaged';
const SIGXFSZ = 25;
/** dd's count of records, and every count of bytes. */
const COUNT = /^(?:\d+\+\d+ records (?:in|out)|(\d+) bytes.*)$/;

interface Said {
  /** What the programs complained of. */
  readonly text: string;
  readonly bytes: number;
}

function saidBy(stderr: string): Said {
  const lines = stderr.split('\n');
  const counts = lines.map((line) => COUNT.exec(line)?.[1]).filter((bytes) => bytes !== undefined);
  const text = lines.filter((line) => !COUNT.test(line)).join('\n');
  return { text: text.trim(), bytes: Number(counts.at(-1) ?? 0) };
}

export function createPlacer(files: Files, processes: Processes, setpriv: string | undefined): Placer {
  async function asUser(script: string, args: readonly string[], job: Job): Done {
    const { owner, budget } = job;
    const maxBytes = budget.leftBytes;
    const named = `tooMany='${TOO_MANY}' broken='${BROKEN}'\n${script}`;
    const shell = ['/bin/sh', '-c', named, 'sh', String(maxBytes), ...args];
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
    const { end, stderr } = run.value;
    const said = saidBy(stderr);
    budget.take(said.bytes);
    const wasCut =
      (end.kind === 'signaled' && end.signal === SIGXFSZ) ||
      (end.kind === 'exited' && end.code === 128 + SIGXFSZ) ||
      stderr.includes(TOO_MANY);
    if (wasCut)
      return err(
        `it has ${TOO_MANY}: the limit left ${maxBytes} bytes (--fetcher_max_uri_size, --fetcher_max_task_size)`,
      );
    if (end.kind === 'exited' && end.code === 0 && !stderr.includes(BROKEN)) return ok(undefined);
    return err(said.text || `${JSON.stringify(end)}, without a word`);
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
