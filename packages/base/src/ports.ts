// Ports: the interfaces to the machine (clock, files, processes, network). `platform` implements them on Node; tests and
// the simulator have their own implementations. Expected failures (no such file, no permission, refused) are values.
import type { LinuxPlan } from './linux-plan.js';
import type { Result } from './result.js';
import type { Now } from './time.js';

/** The clocks and timers of the process, or of a simulated machine. */
export interface Clock {
  now(): Now;
  /** Calls `callback` once, not before `delayMs` have passed. Returns a function that cancels the timer. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Calls `callback` in the next turn of the event loop. */
  defer(callback: () => void): void;
}

/**
 * A failed system call: `code` is the name of the system's errno (`ENOENT`) or a code of the port (`tooLarge`); `message`
 * is for the operator and names the path or program.
 */
export interface SystemError {
  readonly code: string;
  readonly message: string;
}

export type SystemResult<T> = Result<T, SystemError>;

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly sizeBytes: number;
  /** The bytes that it occupies on the disk; a sparse file occupies less than its size. */
  readonly allocatedBytes: number;
  /** Permission bits only. */
  readonly mode: number;
  /** The bits of the kind, which precede the permission bits in the `st_mode` of the kernel and in Mesos' modes. */
  readonly format: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  /** Device and inode as `D:I`: equal for two names of one file. */
  readonly identity: string;
  /** The number of its names: hard links. */
  readonly links: number;
  /** The numbers of a device; zeros for anything else. */
  readonly device: { readonly major: number; readonly minor: number };
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileStat['kind'];
}

/** Notifications about a directory, until it is closed. */
export interface DirectoryWatch {
  close(): void;
}

/** A user and a group by their numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A handle of an open regular file. */
export interface FileHandle {
  stat(): Promise<SystemResult<FileStat>>;
  /** Reads at most `lengthBytes` from the offset; no bytes at the end of the file. */
  read(offsetBytes: number, lengthBytes: number): Promise<SystemResult<Uint8Array>>;
  /** Appends all bytes. */
  append(bytes: Uint8Array): Promise<SystemResult<void>>;
  truncate(sizeBytes: number): Promise<SystemResult<void>>;
  close(): void;
}

/**
 * A handle of an open directory. Its calls act on entries of this directory, even if its path leads elsewhere by then, so
 * it must be used wherever other users can write. A name is one path component; no call follows a symbolic link; errors
 * name the path.
 */
export interface DirectoryHandle {
  /** The path for errors and logs. */
  readonly shownPath: string;
  /** A path to the directory while it is open, for this process and the working directory of processes that it starts. */
  readonly ownPath: string;
  /** The stat of the directory when it was opened. */
  readonly stat: FileStat;
  /** Whether only the user of this process, or root, can add, rename and remove its entries. */
  readonly isProtected: boolean;
  statOf(name: string): Promise<SystemResult<FileStat>>;
  openDirectory(name: string): Promise<SystemResult<DirectoryHandle>>;
  /** Makes a directory with exactly this mode and owner. The code is EEXIST if the name is taken. */
  makeDirectory(
    name: string,
    options: { readonly mode: number; readonly owner?: Owner | undefined },
  ): Promise<SystemResult<DirectoryHandle>>;
  /**
   * Opens a regular file, and never waits: a fifo or device is refused. A file with several links that does not belong to
   * the owner of this directory is refused too, as it could be a hard link to the file of another user. With `update` the
   * file can be read and appended to.
   */
  openFile(name: string, access: 'read' | 'update'): Promise<SystemResult<FileHandle>>;
  /** Makes a file and opens it for appending. The code is EEXIST if the name is taken. */
  makeFile(
    name: string,
    options: { readonly mode: number; readonly owner?: Owner | undefined },
  ): Promise<SystemResult<FileHandle>>;
  makeLink(name: string, target: string): Promise<SystemResult<void>>;
  /** The target of a symbolic link. */
  readLink(name: string): Promise<SystemResult<string>>;
  /** Renames an entry within this directory, or moves it into another open directory. */
  rename(from: string, to: string, into?: DirectoryHandle): Promise<SystemResult<void>>;
  removeFile(name: string): Promise<SystemResult<void>>;
  removeEmptyDirectory(name: string): Promise<SystemResult<void>>;
  /** Lists the entries in parts, as a directory may have millions; ends when `onPart` returns false. */
  list(onPart: (entries: readonly DirectoryEntry[]) => boolean | Promise<boolean>): Promise<SystemResult<void>>;
  changeOwner(owner: Owner): Promise<SystemResult<void>>;
  /** Makes the user of this process the owner and the mode 0700, so that processes of other users add no entries. */
  seal(): Promise<SystemResult<void>>;
  /** Calls `onChange` when an entry changes, until the watch is closed. The file system may lose a notification. */
  watch(onChange: () => void): SystemResult<DirectoryWatch>;
  close(): void;
}

/**
 * The file system. Paths are absolute; a call follows a symbolic link in the last component only if its comment says so.
 * These calls must not be used on a path through a directory where other users can write: open the last directory before
 * it with `openDirectory`, and use the calls of `DirectoryHandle` from there.
 */
export interface Files {
  /** Opens a directory. Follows links, so other users must not be able to write to the directories above it. */
  openDirectory(path: string): Promise<SystemResult<DirectoryHandle>>;
  /**
   * Makes a directory, with its parents, to which only the user of this process can write. If it exists, checks that only
   * this user and root can write to it and to the directories above it. The error says what is wrong and what to do.
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
  /**
   * Reads a small virtual file (/proc, cgroups), which never waits for a disk, or its first `maxBytes`; undefined if the file
   * is missing or unreadable.
   */
  readTextNow(path: string, maxBytes?: number): string | undefined;
  /** The names in a virtual directory (`readTextNow`). */
  listNow(path: string): readonly string[];
  stat(path: string): Promise<SystemResult<FileStat>>;
  /** Makes a directory with its parents. An existing directory is not an error and keeps its mode. */
  makeDirectory(path: string, mode?: number): Promise<SystemResult<void>>;
  changeOwner(path: string, uid: number, gid: number): Promise<SystemResult<void>>;
  removeFile(path: string): Promise<SystemResult<void>>;
  removeEmptyDirectory(path: string): Promise<SystemResult<void>>;
  /** The path with every symbolic link resolved. */
  realPath(path: string): Promise<SystemResult<string>>;
  diskSpace(path: string): Promise<SystemResult<{ readonly totalBytes: number; readonly availableBytes: number }>>;
}

/** What an entry of a tree has besides its content. */
export interface TreeAttributes {
  readonly uid: number;
  readonly gid: number;
  /** With the bits for setuid, setgid and sticky. */
  readonly mode: number;
  readonly modifiedSeconds: number;
  readonly modifiedNanoseconds: number;
  /** Extended attributes; a name is latin1 text. */
  readonly extended: ReadonlyMap<string, Uint8Array>;
}

/** `whiteout`: overlayfs' mark for a name that is removed from the layers below (a character device 0, 0). */
export type TreeEntryKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'whiteout' | 'other';

export interface TreeEntry {
  readonly kind: TreeEntryKind;
  readonly sizeBytes: number;
  readonly attributes: TreeAttributes;
  /** `identity` and `links`: as in `FileStat`. */
  readonly identity: string;
  readonly links: number;
}

/** A new file, open for writing. */
export interface TreeFile {
  write(bytes: Uint8Array): SystemResult<void>;
  setAttributes(attributes: TreeAttributes): SystemResult<void>;
  close(): void;
}

/**
 * A directory of a tree that no other process changes, for millions of entries whose names come from outside. A call has
 * happened when it returns; it may wait for the disk, so only a helper process uses it. Texts are latin1: one character is
 * one byte of a name or target. A name is one path component, and no call follows a link.
 */
export interface TreeDirectory {
  openDirectory(name: string): SystemResult<TreeDirectory>;
  makeDirectory(name: string): SystemResult<void>;
  makeFile(name: string): SystemResult<TreeFile>;
  makeSymlink(name: string, target: string): SystemResult<void>;
  makeHardLink(name: string, from: TreeDirectory, fromName: string): SystemResult<void>;
  makeFifo(name: string): SystemResult<void>;
  makeWhiteout(name: string): SystemResult<void>;
  /** Makes a copy of a regular file, without its attributes. */
  copyFile(name: string, from: TreeDirectory, fromName: string): SystemResult<void>;
  entryOf(name: string): SystemResult<TreeEntry>;
  targetOf(name: string): SystemResult<string>;
  names(): SystemResult<readonly string[]>;
  removeFile(name: string): SystemResult<void>;
  removeEmptyDirectory(name: string): SystemResult<void>;
  /** Sets them on an entry that is no directory. A symbolic link gets no mode. */
  setAttributesOf(name: string, attributes: TreeAttributes): SystemResult<void>;
  setAttributes(attributes: TreeAttributes): SystemResult<void>;
  attributes(): SystemResult<TreeAttributes>;
  /** Sets one extended attribute of the directory itself. */
  setExtended(attribute: string, value: Uint8Array): SystemResult<void>;
  /** For calls that take another directory. */
  readonly descriptor: number;
  close(): void;
}

/** How a process ended. */
export type ProcessEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number };

export interface ProcessRequest {
  /** A path, or a name without a slash, which is looked up in the PATH of this process. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** The complete environment; only a PATH if undefined. The environment of this process is never inherited. */
  readonly environment?: { readonly [name: string]: string } | undefined;
  readonly directory?: string | undefined;
  /** The user and group of the process, without supplementary groups; those of this process if undefined. */
  readonly owner?: Owner | undefined;
  /** The standard input for `run`; empty if undefined. */
  readonly input?: string | undefined;
}

export interface FinishedRun {
  readonly end: ProcessEnd;
  /** The end of the output, at most `outputBytes`. */
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** A process that continues after the end of the one that started it. */
export interface ResidentProcess {
  readonly pid: number;
  /** How it ended, and the end of what it wrote to its standard error. */
  readonly ended: Promise<{ readonly end: ProcessEnd; readonly stderr: string }>;
}

/** Processes of this machine. */
export interface Processes {
  /** The ids of this process. */
  readonly self: { readonly pid: number; readonly uid: number; readonly gid: number };
  /**
   * Runs a program to its end, in a new session. After `timeoutMs`, or when `signal` aborts, its process group gets
   * SIGKILL. It is an error only if the program cannot be started.
   */
  run(
    request: ProcessRequest,
    limits: { readonly timeoutMs: number; readonly outputBytes?: number; readonly signal?: AbortSignalLike },
  ): Promise<SystemResult<FinishedRun>>;
  /** Starts a program in a new session, which continues after the end of this process. Its standard output is discarded. */
  startResident(request: ProcessRequest): Promise<SystemResult<ResidentProcess>>;
  /**
   * Sends a signal to a process, or to a process group if `pid` is negative; signal 0 only checks that it exists. False if
   * there is no such process, or if it belongs to another user.
   */
  kill(pid: number, signal: number): boolean;
}

/** A limit of getrlimit(2), by its number on Linux. undefined: unlimited. */
export interface ProcessLimit {
  readonly resource: number;
  readonly soft: number | undefined;
  readonly hard: number | undefined;
}

/** A process, told from a later one with the same id by when it was started, as /proc counts. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** The first process of a container, or a process beside it. */
export interface ChildRequest {
  /** Looked up in the environment's PATH when it has no slash. */
  readonly program: string;
  /** The first one is the program's own name. */
  readonly argv: readonly string[];
  /** The complete environment. */
  readonly environment: { readonly [name: string]: string };
  /** The working directory: refused if another directory has this path by now. `identity`: as in `FileStat`. */
  readonly directory: { readonly path: string; readonly identity: string };
  /** The directory to start in, if it is another one: as `directory`. */
  readonly startDirectory?: { readonly path: string; readonly identity: string } | undefined;
  /** Where its output goes: appended to the regular files `stdout` and `stderr` of the directory, or nowhere. */
  readonly output: 'files' | 'discarded';
  /** undefined: it has no input. */
  readonly input?: ChildInput | undefined;
  /** The user and all its groups, the user's own first; undefined: those of this process. */
  readonly user: { readonly uid: number; readonly groups: readonly number[] } | undefined;
  readonly limits: readonly ProcessLimit[];
  /** The directories of the cgroups that it joins, one in each hierarchy. Each has the file `cgroup.procs`. */
  readonly cgroups: readonly string[];
  /** `oom_score_adj` (proc(5)); undefined: that of this process. */
  readonly oomScoreAdjustment?: number | undefined;
  /** Namespaces and privileges; undefined: those of this process. */
  readonly linux?: LinuxPlan | undefined;
  /** A process of a container whose namespaces it enters, in place of those of `linux`. */
  readonly enter?: ProcessIdentity | undefined;
  /** A process of the parent container, whose namespaces (`LinuxPlan.shared`) and mounts it shares. */
  readonly parent?: ProcessIdentity | undefined;
  /** It runs no program: it is the first process of a pid namespace of its own, which collects orphans. */
  readonly isPause?: boolean | undefined;
  /** A file that the child appends a line to before it runs the program: its line of /proc/self/stat. */
  readonly record: string | undefined;
}

/** The size of a terminal's window in characters. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * What a child reads from: a pipe, or a terminal, which also controls its session and takes its output. With the output
 * `files` that is appended to `stdout`.
 */
export type ChildInput =
  | { readonly kind: 'pipe' }
  | { readonly kind: 'terminal'; readonly window?: WindowSize | undefined };

/** This process' end of a child's pipe or terminal. Calls are carried out one after another. */
export interface ChildChannel {
  /**
   * Resolves when the pipe or terminal has taken all bytes, however long the child does not read. The code of the error is
   * EPIPE when nothing can read them any more.
   */
  write(bytes: Uint8Array): Promise<SystemResult<void>>;
  /** Ends the input of a pipe. A terminal's is ended by a character, so this does nothing to it. */
  end(): Promise<void>;
  /** The code is ENOTTY if it is no terminal. */
  resize(window: WindowSize): SystemResult<void>;
  /** Resolves when all output is written, once no process has the terminal open; after `timeoutMs` in any case. Then closes it. */
  finish(timeoutMs: number): Promise<void>;
}

export interface StartedChild {
  readonly pid: number;
  /** What it appended to its record. */
  readonly stat: string;
  /** Of a child with an input. */
  readonly channel?: ChildChannel | undefined;
}

/** Starts processes, and reports how exactly they ended. */
export interface ChildProcesses {
  /** Starts a process in a new session, or says why it was not started. A program that can't be executed was started. */
  start(request: ChildRequest): Result<StartedChild, string>;
  /** Calls `onEnded` for every child that has ended, adopted orphans among them, now and from now on. */
  watch(onEnded: (pid: number, end: ProcessEnd) => void): void;
}

/** Small files in one directory that only this process' user can reach. Each call has happened when it returns. */
export interface RecordFiles {
  names(): readonly string[];
  read(name: string): string | undefined;
  /** Makes a file that does not exist yet. */
  create(name: string, text: string): SystemResult<void>;
  /** Does nothing when there is no such file. */
  append(name: string, text: string): void;
  remove(name: string): void;
  pathOf(name: string): string;
}

/** A connection between two processes of this machine that send each other lines. */
export interface LineConnection {
  /** The lines that are sent during one turn of the event loop are one write. */
  send(line: string): void;
  close(): void;
}

export interface LineListener {
  onLine(line: string): void;
  /** The other process has closed the connection or ended. Not called after `close`. */
  onClosed(): void;
}

/** Connects to the process that listens at a unix socket in `directory`. */
export type ConnectLines = (
  directory: string,
  name: string,
  listener: LineListener,
) => Promise<SystemResult<LineConnection>>;

/** The part of AbortSignal that ports use, because the cores are compiled without web types. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface HttpResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** Of a request that may have credentials: they are sent to the origin of its URL only, and TLS is not given up for it. */
export interface OutboundRequest {
  /** Names in lower case. `authorization` is not sent on after a redirect to another origin. */
  readonly headers?: { readonly [name: string]: string };
  /** 50 unless given. */
  readonly maxRedirects?: number;
  readonly signal?: AbortSignalLike | undefined;
}

/** The requests that an agent sends for containers: downloads, registries of images, health checks. */
export interface Outbound {
  /**
   * GETs a small document: at most `maxBytes` within `timeoutMs`. Every status but those of redirects is an answer. After a
   * redirect to another origin the answer has no header `www-authenticate`.
   */
  get(
    url: string,
    options: OutboundRequest & { readonly maxBytes: number; readonly timeoutMs: number },
  ): Promise<SystemResult<HttpResponse>>;
  /**
   * GETs `url` (http, https) into a new file of mode 0600, following redirects. Fails with `unauthorized` for the status 401,
   * `unavailable` for 429 and those of servers (5xx), `unexpectedStatus` for another one than 200, `stalled` when nothing
   * arrived for `stallTimeoutMs`, `tooLarge` beyond `maxBytes`, `aborted` when `signal` aborts, `wrongDigest` if the content
   * has not the SHA-256 digest (in hexadecimal).
   */
  download(
    url: string,
    path: string,
    options: OutboundRequest & {
      readonly stallTimeoutMs: number;
      readonly maxBytes: number;
      readonly sha256?: string;
    },
  ): Promise<SystemResult<{ readonly bytes: number }>>;
  /** The `Content-Length` of a HEAD request; undefined if the response has none. */
  contentLength(
    url: string,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignalLike },
  ): Promise<SystemResult<number | undefined>>;
  /** The status of a GET request after redirects. Certificates are not checked, as health checks are of localhost. */
  statusOf(url: string, timeoutMs: number): Promise<SystemResult<number>>;
  /** Whether a TCP connection is accepted. If that is not known, an error, with the code `timedOut` at the timeout. */
  connects(host: string, port: number, timeoutMs: number): Promise<SystemResult<boolean>>;
}

/** A request to an HTTP server that listens on a unix socket of this machine, such as the Docker engine. */
export interface LocalRequest {
  readonly socket: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | undefined;
  /** The longest time without a byte; undefined: no limit. The code of the error is `stalled`. */
  readonly idleTimeoutMs: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
}

export interface LocalResponse {
  readonly status: number;
  /** The next part of the body, undefined at its end. While it is not called, the server is not read from. */
  next(): Promise<SystemResult<Uint8Array | undefined>>;
  /** Closes the connection. */
  close(): void;
}

/** Sends a request over a connection of its own. It is an error only if no response begins. */
export type SendLocalRequest = (request: LocalRequest) => Promise<SystemResult<LocalResponse>>;

/** Network namespaces that outlive their processes. Each has a file, by which processes enter it. */
export interface NetworkNamespaces {
  /** Makes one whose loopback interface is up. `path`: its file, which must not exist. */
  create(path: string): SystemResult<void>;
  exists(path: string): boolean;
  /** Removes the file. The namespace ends with its last process. A missing file is not an error. */
  remove(path: string): SystemResult<void>;
  /** What `Outbound` does, from within the namespace. */
  outboundFrom(path: string): Pick<Outbound, 'statusOf' | 'connects'>;
}
