// Backups of the registry: a file with all that the registry has, which restores it into an empty store.
//
// The first line is JSON with the version of the file, the time, the number of agents, and the SHA-256 of all that follows: a
// snapshot as the registry's log has it (registry/encode.ts), with its own format.
//
// BACKUP-1: a backup changes nothing, also while masters run; what it read was verified: checksums, order, format.
// BACKUP-2: a file is written only if it does not exist, with the rights of its owner only, and is on disk when the backup is done.
// BACKUP-3: a restore changes nothing unless the file is whole, this version reads it, and the store is empty. It is one snapshot, so
//     that a restore that was interrupted leaves an empty store.
// BACKUP-4: while a restore leads the election, every reader finds a valid MasterInfo, at which no master answers.
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '@meseta/base';
import {
  type Coordination,
  createLocalCoordination,
  type LocalStore,
  openLmdbStore,
  type StoreContents,
} from '@meseta/coordination';
import type { OpenCoordinator } from '@meseta/coordination/coordinator';
import { claimDirectory } from '@meseta/platform/claimed-directories';
import { decodeRegistry, encodeRegistry } from '../registry/encode.js';
import type { RegistryState } from '../registry/state.js';

/** Where a registry is kept: below the work_dir of the only master, or in ZooKeeper or etcd. */
export type RegistryStore =
  | { readonly kind: 'directory'; readonly workDir: string }
  | { readonly kind: 'coordinator'; readonly open: OpenCoordinator };

export interface BackupSummary {
  readonly created: string;
  readonly agents: number;
  readonly unreachable: number;
  readonly gone: number;
  readonly quotas: number;
  readonly weights: number;
  readonly machines: number;
}

const VERSION = 1;
const MAX_BACKUP_BYTES = 2 ** 30;
const MAX_HEADER_BYTES = 4096;
const SESSION_MS = 10_000;
const ATTEMPTS = 5;
const RETRY_MS = 500;
const CONTACT_MS = 15_000;

/**
 * The MasterInfo of a restore, which leads for a moment. It is valid, because agents and drivers of Mesos end at one that is not
 * (src/slave/slave.cpp, src/sched/sched.cpp), and names a port of the reader's own machine at which only root may listen.
 */
const RESTORER = Buffer.from(
  JSON.stringify({
    id: 'meseta-registry-restore',
    // 127.0.0.1
    ip: 0x0100007f,
    port: 1,
    pid: 'master@127.0.0.1:1',
    hostname: 'localhost',
    address: { hostname: 'localhost', ip: '127.0.0.1', port: 1 },
  }),
);

interface Header extends BackupSummary {
  readonly meseta_registry_backup: number;
  readonly sha256: string;
}

const sha256Of = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

/** Undefined if the promise takes longer than `CONTACT_MS`. */
async function inContactTime<T>(promise: Promise<T>): Promise<T | undefined> {
  const abort = new AbortController();
  try {
    // The end of the command does not wait for the timer.
    return await Promise.race([promise, sleep(CONTACT_MS, undefined, { signal: abort.signal }).catch(() => undefined)]);
  } finally {
    abort.abort();
  }
}

interface Warned {
  /** The last warning of the service: why it can't be used. */
  text: string | undefined;
}

const withReason = (text: string, { text: reason }: Warned): string =>
  reason === undefined ? text : `${text}; the last error is: ${reason}`;

/** Writes a backup to the file. The error is for the operator. */
export async function backUpRegistry(
  store: RegistryStore,
  file: string,
  nowMs: number,
): Promise<Result<BackupSummary, string>> {
  if (existsSync(file)) return err(`${file} exists; a backup is never overwritten`);
  const contents = await readStore(store);
  if (!contents.ok) return contents;
  if (isEmpty(contents.value)) return err('there is no registry to back up: no master has led with it yet');
  const registry = decode(contents.value);
  if (!registry.ok) return err(`the registry can't be read: ${registry.error}`);
  const summary = summaryOf(registry.value, new Date(nowMs).toISOString());
  const body = Buffer.from([...encodeRegistry(registry.value)].join(''));
  const header: Header = { meseta_registry_backup: VERSION, ...summary, sha256: sha256Of(body) };
  const written = writeNewFile(file, [Buffer.from(`${JSON.stringify(header)}\n`), body]);
  return written.ok ? ok(summary) : written;
}

/** Restores the registry of the file into an empty store. The error is for the operator. */
export async function restoreRegistry(store: RegistryStore, file: string): Promise<Result<BackupSummary, string>> {
  const backup = readBackup(file);
  if (!backup.ok) return err(`${file}: ${backup.error}`);
  const target = await openTarget(store);
  if (!target.ok) return target;
  const { coordination, warned } = target.value;
  try {
    const restored = await restoreInto(coordination, warned, backup.value.body);
    return restored.ok ? ok(backup.value.summary) : restored;
  } finally {
    await coordination.close();
  }
}

async function restoreInto(
  coordination: Coordination,
  warned: Warned,
  body: Uint8Array,
): Promise<Result<void, string>> {
  // Masters that run contend before this process: it gets a term only if there is none of them.
  const term = await inContactTime(coordination.contend(RESTORER));
  if (term === undefined)
    return err(withReason('no term could be begun: stop all masters, and check that the service answers', warned));
  const log = coordination.openLog(term);
  const contents = await log.read();
  if (!contents.ok) return err(contents.error.text);
  if (!isEmpty(contents.value)) return err('the store has a registry; a backup is restored only into an empty one');
  const written = await log.snapshot(body);
  if (!written.ok) return err(written.error.text);
  await term.resign();
  return ok(undefined);
}

const isEmpty = ({ snapshot, batches }: StoreContents): boolean => snapshot === undefined && batches.length === 0;

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const decode = ({ snapshot, batches }: StoreContents): Result<RegistryState, string> =>
  decodeRegistry(snapshot === undefined ? undefined : textOf(snapshot), batches.map(textOf));

const summaryOf = (registry: RegistryState, created: string): BackupSummary => ({
  created,
  agents: registry.agents.size,
  unreachable: registry.unreachable.size,
  gone: registry.gone.size,
  quotas: registry.quotas.size,
  weights: registry.weights.size,
  machines: registry.machines.size,
});

/** BACKUP-2 */
function writeNewFile(path: string, pieces: readonly Uint8Array[]): Result<void, string> {
  let file: number | undefined;
  try {
    file = openSync(path, 'wx', 0o600);
    for (const piece of pieces) for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
    fsyncSync(file);
    syncDirectory(dirname(path));
    return ok(undefined);
  } catch (cause) {
    if (file !== undefined) rmSync(path, { force: true });
    return err((cause as Error).message);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

interface Backup {
  readonly summary: BackupSummary;
  readonly body: Uint8Array;
}

function readBackup(path: string): Result<Backup, string> {
  let bytes: Buffer;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return err('it is no regular file');
    if (stat.size > MAX_BACKUP_BYTES) return err(`it has ${stat.size} bytes, expected at most ${MAX_BACKUP_BYTES}`);
    bytes = readFileSync(path);
  } catch (cause) {
    return err((cause as Error).message);
  }
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf('\n');
  const header = headerOf(bytes.subarray(0, Math.max(0, end)).toString());
  if (header === undefined) return err('it is not a backup of a registry');
  if (header.meseta_registry_backup !== VERSION) {
    const found = header.meseta_registry_backup;
    return err(
      `it is a backup of version ${found}, and this version reads version ${VERSION}: use the newer version that wrote it`,
    );
  }
  const body = bytes.subarray(end + 1);
  const sum = sha256Of(body);
  if (sum !== header.sha256) return err(`it is damaged: its SHA-256 is ${sum}, expected ${header.sha256}`);
  try {
    const registry = decode({ snapshot: body, batches: [] });
    return registry.ok ? ok({ summary: summaryOf(registry.value, header.created), body }) : registry;
  } catch (cause) {
    return err(`it can't be read: ${(cause as Error).message}`);
  }
}

/** As `toISOString` writes it; it is shown at a terminal. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function headerOf(line: string): Header | undefined {
  try {
    const header = JSON.parse(line) as Partial<Header> | null;
    const isHeader = typeof header?.meseta_registry_backup === 'number' && typeof header.sha256 === 'string';
    return isHeader && TIME.test(header.created ?? '') ? (header as Header) : undefined;
  } catch {
    return undefined;
  }
}

/** BACKUP-1. A master may write, or replace the log by a snapshot, while it is read: then it is read again. */
async function readStore(store: RegistryStore): Promise<Result<StoreContents, string>> {
  if (store.kind === 'coordinator') return readService(store.open);
  const source = join(registryIn(store), 'data.mdb');
  if (!existsSync(source)) return err(`${source} doesn't exist: expected the work_dir of a master`);
  return repeatedly(() => readCopy(source));
}

async function repeatedly<T>(read: () => Promise<Result<T, string>>): Promise<Result<T, string>> {
  for (let attempt = 1; ; attempt++) {
    const result = await read();
    if (result.ok || attempt === ATTEMPTS) return result;
    await sleep(RETRY_MS);
  }
}

async function readService(open: OpenCoordinator): Promise<Result<StoreContents, string>> {
  const { coordination, warned } = openService(open);
  try {
    const read = repeatedly(async () => {
      const contents = await coordination.readLog();
      return contents.ok ? contents : err(contents.error.text);
    });
    return (await inContactTime(read)) ?? err(withReason('the service does not answer', warned));
  } finally {
    await coordination.close();
  }
}

function openService(open: OpenCoordinator) {
  const warned: Warned = { text: undefined };
  const warn = (text: string): void => {
    warned.text = text;
  };
  return { coordination: open({ sessionTimeoutMs: SESSION_MS, warn }), warned };
}

const registryIn = ({ workDir }: { readonly workDir: string }): string => join(workDir, 'registry');

/** Reads a copy of the file, because a master that runs may write to it. The copy is verified when it is opened. */
async function readCopy(source: string): Promise<Result<StoreContents, string>> {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-backup-'));
  try {
    copyFileSync(source, join(directory, 'data.mdb'));
    const opened = await openLmdbStore(directory, { warn: () => {}, onSpare: () => {} });
    if (!opened.ok) return err(opened.error.replaceAll(directory, dirname(source)));
    try {
      return await readLocal(opened.value);
    } finally {
      await opened.value.close();
    }
  } catch (cause) {
    return err((cause as Error).message);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function readLocal(store: LocalStore): Promise<Result<StoreContents, string>> {
  const contents = await store.read(await store.nextEpoch());
  return contents.ok ? contents : err('the copy is in use');
}

async function openTarget(
  store: RegistryStore,
): Promise<Result<{ readonly coordination: Coordination; readonly warned: Warned }, string>> {
  if (store.kind === 'coordinator') return ok(openService(store.open));
  const path = registryIn(store);
  const claimed = await claimDirectory(path, 0o700);
  if (!claimed.ok) return err(claimed.error.message);
  const opened = await openLmdbStore(path, { warn: () => {}, onSpare: () => {} });
  return opened.ok ? ok({ coordination: createLocalCoordination(opened.value), warned: { text: undefined } }) : opened;
}
