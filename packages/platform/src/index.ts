// Signatures first; the modules that hold them follow in the next commits.
import type { ServerResponse } from 'node:http';
import type { Now, Result } from '@meseta/base';

export * from './host.js';
export * from './read-body.js';

// ---- clock.ts, loop.ts
export interface Clock {
  now(): Now;
  /** Calls back once, not before `delayMs`; answers what cancels it. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Calls back in the next turn of the event loop. */
  defer(callback: () => void): void;
}
export declare const realClock: Clock;
export interface LoopOptions<Input, Effect> {
  step(input: Input, now: Now): readonly Effect[];
  nextDeadline(): number | undefined;
  hasWork(): boolean;
  perform(effect: Effect): void;
  readonly tick: Input;
  readonly continue: Input;
  readonly clock: Clock;
  readonly sliceMs?: number | undefined;
}
export interface Loop<Input> {
  push(input: Input): void;
  stop(): void;
}
export declare function createLoop<Input, Effect>(options: LoopOptions<Input, Effect>): Loop<Input>;

// ---- render-queue.ts
export interface Rendering {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
}
export interface RenderRequest {
  /** View, media type, parameters, approver: equal keys share bytes. */
  readonly key: string;
  /** The state's version now. */
  version(): number;
  /** Begins a rendering; its references are taken before the first piece, which is asked for at once. */
  start(): Iterator<string | Uint8Array>;
}
export interface RenderQueue {
  render(request: RenderRequest): Promise<Rendering>;
}
export interface RenderQueueOptions {
  readonly clock: Clock;
  readonly sliceMs?: number | undefined;
  readonly keptBytes?: number | undefined;
}
export declare function createRenderQueue(options: RenderQueueOptions): RenderQueue;
/** Writes head and buffers, pulling on `drain`; resolves when all is handed over or the client has gone. */
export declare function sendRendering(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  rendering: Rendering,
): Promise<void>;

// ---- event-log.ts, stream-writer.ts
export interface EventLog {
  /** One event, encoded and framed (RecordIO). */
  append(event: Uint8Array): void;
  /** `first` (a snapshot in pieces) goes before the events appended from now on. */
  subscribe(response: ServerResponse, first: readonly Uint8Array[], ended: (why: StreamEnd) => void): () => void;
  readonly subscribers: number;
}
export type StreamEnd = 'closed' | 'tooSlow';
export interface EventLogOptions {
  readonly clock: Clock;
  readonly ringBytes?: number | undefined;
}
export declare function createEventLog(options: EventLogOptions): EventLog;
export interface StreamWriter {
  /** Queues bytes; all of a turn go out together. */
  write(bytes: Uint8Array): void;
  /** Ends the response after what was written. */
  end(): void;
  readonly unsentBytes: number;
}
export interface StreamWriterOptions {
  readonly clock: Clock;
  readonly maxUnsentBytes?: number | undefined;
  /** Once: the client has gone, or was cut off because it reads too slowly. Not called after `end`. */
  ended(why: StreamEnd): void;
}
export declare function createStreamWriter(response: ServerResponse, options: StreamWriterOptions): StreamWriter;

// ---- log.ts, daemon.ts
export type LogLevel = 'debug' | 'info' | 'warning' | 'error';
export interface Logger {
  level: LogLevel | 'silent';
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /** The same log under another component's name. */
  named(component: string): Logger;
}
export interface LoggerOptions {
  readonly component: string;
  readonly level?: LogLevel | 'silent' | undefined;
  readonly write?: ((line: string) => void) | undefined;
  readonly wallMs?: (() => number) | undefined;
}
export declare function createLogger(options: LoggerOptions): Logger;
export interface DaemonOptions {
  readonly log: Logger;
  /** SIGINT or SIGTERM; the process ends with status 0 once it resolves. A second signal ends it at once. */
  stop(signal: string): Promise<void>;
}
/** Installs the last handlers of a process; answers what removes them. */
export declare function installDaemon(options: DaemonOptions): () => void;

// ---- flags.ts
export interface FlagSpec<T> {
  readonly kind: 'value' | 'boolean';
  readonly aliases: readonly string[];
  /** As it would be typed; undefined: the flag has no value unless given. */
  readonly default: string | undefined;
  /** 'ignored': a flag of Mesos that does nothing here yet; accepted with a warning. */
  readonly status: 'used' | 'ignored';
  readonly required: boolean;
  /** A path keeps `file://...` as it is; every other value is then the file's content. */
  readonly path: boolean;
  readonly help: string;
  parse(text: string): Result<T, string>;
  /** The value as /flags shows it. */
  format(value: T): string;
}
export interface FlagOptions {
  readonly aliases?: readonly string[];
  readonly status?: 'used' | 'ignored';
  readonly required?: boolean;
  readonly help?: string;
}
export declare function valueFlag<T>(
  parse: (text: string) => Result<T, string>,
  format: (value: T) => string,
  options: FlagOptions & { readonly default: string },
): FlagSpec<T>;
export declare function valueFlag<T>(
  parse: (text: string) => Result<T, string>,
  format: (value: T) => string,
  options?: FlagOptions,
): FlagSpec<T | undefined>;
/** Shorthands: `textFlag`, `pathFlag`, `numberFlag`, `durationFlag` (ms), `byteSizeFlag` (bytes). */
export declare const textFlag: FlagMaker<string>;
export declare const pathFlag: FlagMaker<string>;
export declare const numberFlag: FlagMaker<number>;
export declare const durationFlag: FlagMaker<number>;
export declare const byteSizeFlag: FlagMaker<number>;
export interface FlagMaker<T> {
  (options: FlagOptions & { readonly default: string }): FlagSpec<T>;
  (options?: FlagOptions): FlagSpec<T | undefined>;
}
export declare function booleanFlag(options: FlagOptions & { readonly default: boolean }): FlagSpec<boolean>;
export type FlagTable = Readonly<Record<string, FlagSpec<unknown>>>;
export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends FlagSpec<infer T> ? T : never;
};
export interface ParsedFlags<Table extends FlagTable> {
  readonly values: FlagValues<Table>;
  /** Every flag that has a value, as strings: what /flags and GET_FLAGS show, in alphabetical order. */
  readonly shown: ReadonlyMap<string, string>;
  /** The names that were given, by their main name, not left at their default. */
  readonly given: ReadonlySet<string>;
  readonly warnings: readonly string[];
}
export interface FlagSources {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `MESOS_` */
  readonly prefix: string;
  readFile(path: string): string;
}
export interface FlagError {
  readonly code: 'unknownFlag' | 'badValue' | 'duplicateFlag' | 'missingFlag';
  readonly flag: string;
  readonly message: string;
}
export declare function parseFlags<Table extends FlagTable>(
  table: Table,
  sources: FlagSources,
): Result<ParsedFlags<Table>, FlagError>;
/** The table for --help. */
export declare function flagsHelp(usage: string, table: FlagTable): string;
