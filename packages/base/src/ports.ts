// Ports: what the rooms ask of the machine. Interfaces only; `platform` has them on Node, tests and the
// simulator have theirs. Expected failures (no such file, no permission, refused) are values.
import type { Result } from './result.js';
import type { Now } from './time.js';

/** The clocks and timers of the process, or of a simulated machine. */
export interface Clock {
  now(): Now;
  /** Calls back once, not before `delayMs` have passed. Returns a function that cancels the timer. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Calls back in the next turn of the event loop. */
  defer(callback: () => void): void;
}

/**
 * A failed system call: `code` is the name of the system's errno (`ENOENT`) or a code of the port (`tooLarge`); `message` is
 * for people and names the path or program.
 */
export interface SystemError {
  readonly code: string;
  readonly message: string;
}

export type SystemResult<T> = Result<T, SystemError>;

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly sizeBytes: number;
  /** What it takes on the disk; a sparse file takes less than its size. */
  readonly allocatedBytes: number;
  /** Permission bits only. */
  readonly mode: number;
  /** The bits of the kind, as they stand before the permissions in what the kernel and Mesos call a mode. */
  readonly format: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  /** Device and inode as `D:I`: equal for two names of one file. */
  readonly identity: string;
  readonly links: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileStat['kind'];
}

/** A source of text or notices, until closed. */
export interface TextSource {
  close(): void;
}

/** A user and a group by their numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A regular file, held open. */
export interface HeldFile {
  stat(): Promise<SystemResult<FileStat>>;
  /** At most `lengthBytes` from the offset on; none at the end. */
  read(offsetBytes: number, lengthBytes: number): Promise<SystemResult<Uint8Array>>;
  /** All of it, at the end. */
  append(bytes: Uint8Array): Promise<SystemResult<void>>;
  truncate(sizeBytes: number): Promise<SystemResult<void>>;
  close(): void;
}

/**
 * A directory, held open: what is done with its names is done in it, whatever its path leads to by then. For whatever
 * lies where others than the agent may write. A name is one component; no call follows a link; errors name the path.
 */
export interface HeldDirectory {
  /** For people. */
  readonly shownPath: string;
  /** Leads to the directory while it is held, in this process and as the working directory of one that it starts. */
  readonly ownPath: string;
  /** Of the directory itself, when it was opened. */
  readonly stat: FileStat;
  /** Whether only this process' user (or root) can change what the names in it stand for. */
  readonly isProtected: boolean;
  statOf(name: string): Promise<SystemResult<FileStat>>;
  openDirectory(name: string): Promise<SystemResult<HeldDirectory>>;
  /** A new directory with exactly these. The code is EEXIST if the name is taken. */
  makeDirectory(
    name: string,
    options: { readonly mode: number; readonly owner?: Owner | undefined },
  ): Promise<SystemResult<HeldDirectory>>;
  /**
   * Regular files only, and never waits: a fifo or device is refused, as is a file that also has a name elsewhere and
   * does not belong to this directory's owner (a hard link to the file of another user). `access` update: reads and appends.
   */
  openFile(name: string, access: 'read' | 'update'): Promise<SystemResult<HeldFile>>;
  /** A new file, open for appending. The code is EEXIST if the name is taken. */
  makeFile(
    name: string,
    options: { readonly mode: number; readonly owner?: Owner | undefined },
  ): Promise<SystemResult<HeldFile>>;
  makeLink(name: string, target: string): Promise<SystemResult<void>>;
  /** What a symbolic link holds. */
  readLink(name: string): Promise<SystemResult<string>>;
  /** Within this directory, or into another one that is held. */
  rename(from: string, to: string, into?: HeldDirectory): Promise<SystemResult<void>>;
  removeFile(name: string): Promise<SystemResult<void>>;
  removeEmptyDirectory(name: string): Promise<SystemResult<void>>;
  /** Gives the names in parts, as directories may have millions; `onPart` answers whether it wants more. */
  list(onPart: (entries: readonly DirectoryEntry[]) => boolean | Promise<boolean>): Promise<SystemResult<void>>;
  changeOwner(owner: Owner): Promise<SystemResult<void>>;
  /** Gives the directory to this process' user with mode 0700, so that processes that work in it can add nothing more. */
  seal(): Promise<SystemResult<void>>;
  /** Calls when something in it changes, until the source is closed; a file system may lose a notice. */
  watch(onChange: () => void): SystemResult<TextSource>;
  close(): void;
}

/**
 * The file system. Paths are absolute; no call follows a symbolic link in the last place unless it says so. Of paths on
 * which others than the agent may write, only `openDirectory` of the last trusted directory is to be used.
 */
export interface Files {
  /** Holds a directory open. Follows links: nobody else may be able to write to the directories above it. */
  openDirectory(path: string): Promise<SystemResult<HeldDirectory>>;
  /**
   * Makes a directory for this process' user alone to write to, with its parents; or checks that the one that is there,
   * and whatever leads to it, can be changed by nobody else but root. The error says what is wrong and what to do.
   */
  claimDirectory(path: string, mode: number): Promise<SystemResult<void>>;
  /** Follows links. */
  readText(path: string): Promise<SystemResult<string>>;
  /** Follows links; a new file gets `mode` (0644). `append` adds at the end. */
  write(
    path: string,
    text: string,
    options?: { readonly mode?: number; readonly append?: boolean },
  ): Promise<SystemResult<void>>;
  /** For small virtual files (/proc), whose reading never waits for a disk. undefined: not there or not readable. */
  readTextNow(path: string): string | undefined;
  /** Like `readTextNow`, for a directory's names. */
  listNow(path: string): readonly string[];
  stat(path: string): Promise<SystemResult<FileStat>>;
  /** With its parents; an existing directory is no error and keeps its mode. */
  makeDirectory(path: string, mode?: number): Promise<SystemResult<void>>;
  changeOwner(path: string, uid: number, gid: number): Promise<SystemResult<void>>;
  removeFile(path: string): Promise<SystemResult<void>>;
  removeEmptyDirectory(path: string): Promise<SystemResult<void>>;
  /** The path with every symbolic link resolved. */
  realPath(path: string): Promise<SystemResult<string>>;
  diskSpace(path: string): Promise<SystemResult<{ readonly totalBytes: number; readonly availableBytes: number }>>;
  /** Reads a fifo as text arrives, holding it open for writing too, so that it never ends. */
  readFifo(path: string, onText: (text: string) => void): SystemResult<TextSource>;
}

/** How a process ended. */
export type ProcessEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number };

export interface ProcessRequest {
  /** With a slash: the file; without: looked up in this process' PATH. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** The whole environment; undefined: a PATH and nothing else. This process' own is never handed down. */
  readonly environment?: { readonly [name: string]: string } | undefined;
  readonly directory?: string | undefined;
  /** Both or none; supplementary groups are dropped. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** What `run` gives it to read; nothing unless given. */
  readonly input?: string | undefined;
}

export interface FinishedRun {
  readonly end: ProcessEnd;
  /** The last bytes of each, within the limit. */
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

export interface RunningProcess {
  readonly pid: number;
  write(text: string): void;
  endInput(): void;
  readonly ended: Promise<ProcessEnd>;
}

/** Processes of this machine. */
export interface Processes {
  /** This process' own ids. */
  readonly self: { readonly pid: number; readonly uid: number; readonly gid: number };
  /**
   * Runs a program in a session of its own to its end. At `timeoutMs`, or when `signal` aborts, its process group gets SIGKILL.
   * Fails only if it could not be started.
   */
  run(
    request: ProcessRequest,
    limits: { readonly timeoutMs: number; readonly outputBytes?: number; readonly signal?: AbortSignalLike },
  ): Promise<SystemResult<FinishedRun>>;
  /** Starts a program in a session of its own that outlives this process; its output goes nowhere. */
  startResident(request: ProcessRequest): Promise<SystemResult<RunningProcess>>;
  /** A negative pid names a process group; signal 0 only asks. false: there is no such process (or it isn't ours). */
  kill(pid: number, signal: number): boolean;
}

/** The part of AbortSignal that ports use; the cores know no web types. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Calls that containers make over the network: downloads and probes. */
export interface Outbound {
  /**
   * GETs `url` (http, https) into a new file of mode 0600, following redirects. Fails with `unexpectedStatus` for a status
   * other than 200, `stalled` when nothing arrived for `stallTimeoutMs`, `tooLarge` beyond `maxBytes`, `aborted` when
   * `signal` aborts.
   */
  download(
    url: string,
    path: string,
    options: { readonly stallTimeoutMs: number; readonly maxBytes: number; readonly signal?: AbortSignalLike },
  ): Promise<SystemResult<{ readonly bytes: number }>>;
  /** The length that a HEAD of `url` announces; undefined when it announces none. */
  contentLength(
    url: string,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignalLike },
  ): Promise<SystemResult<number | undefined>>;
  /** The status of a GET, redirects followed; certificates aren't checked (a health check of localhost). */
  statusOf(url: string, timeoutMs: number): Promise<SystemResult<number>>;
  /** Whether a TCP connection comes about; fails only when it can't be tried. Code `timedOut` when undecided in time. */
  connects(host: string, port: number, timeoutMs: number): Promise<SystemResult<boolean>>;
}
