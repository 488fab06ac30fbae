// The requests and answers of ZooKeeper that a coordination needs (zookeeper.jute and zookeeper/ZooDefs.java of Apache
// ZooKeeper 3.8: operations, error codes, fields and their order).
import type { Login } from '../service-address.js';
import { createJuteReader, createJuteWriter, InvalidResponse, type JuteReader, type JuteWriter } from './jute.js';

const OPERATION = {
  create: 1,
  delete: 2,
  getData: 4,
  setData: 5,
  ping: 11,
  getChildren: 8,
  getChildren2: 12,
  check: 13,
  multi: 14,
  auth: 100,
  closeSession: -11,
} as const;

/** The numbers of answers that are not to a request of a caller. */
export const XID = { notification: -1, ping: -2, auth: -4 } as const;

const PERMISSION_READ = 1;
const PERMISSION_ALL = 31;
const EPHEMERAL = 1;
const SEQUENTIAL = 2;
/** Any version. */
const ANY_VERSION = -1;
const PASSWORD_BYTES = 16;

export type ZooKeeperErrorCode =
  | 'noNode'
  | 'nodeExists'
  | 'badVersion'
  | 'notEmpty'
  | 'noAuth'
  | 'authFailed'
  | 'expired'
  /** The request was sent, and the connection ended before the answer: it may have been carried out. */
  | 'connectionLost'
  /** The request was not sent. */
  | 'closed'
  | 'other';

export interface ZooKeeperError {
  readonly code: ZooKeeperErrorCode;
  readonly text: string;
}

const CODES: Readonly<Record<number, readonly [code: ZooKeeperErrorCode, text: string]>> = {
  [-4]: ['connectionLost', 'the connection was lost'],
  [-101]: ['noNode', 'there is no such znode'],
  [-102]: ['noAuth', 'the access control list of the znode does not allow it'],
  [-103]: ['badVersion', 'the znode has another version'],
  [-110]: ['nodeExists', 'there is such a znode already'],
  [-111]: ['notEmpty', 'the znode has children'],
  [-112]: ['expired', 'the session has expired'],
  [-115]: ['authFailed', 'the name or the password is wrong'],
  [-118]: ['expired', 'the session has moved to another server'],
};

/** The error of a number in an answer; undefined for success. */
export function errorOf(number: number): ZooKeeperError | undefined {
  if (number === 0) return undefined;
  const [code, text] = CODES[number] ?? ['other', `error ${number} of ZooKeeper`];
  return { code, text };
}

/** Who may use a znode: without a login everyone; else its creator, and for `publicRead` everyone may read. */
export type Access = 'open' | 'creator' | 'publicRead';

function writeAccess(to: JuteWriter, access: Access): void {
  if (access === 'open') {
    to.int(1).int(PERMISSION_ALL).text('world').text('anyone');
    return;
  }
  to.int(access === 'publicRead' ? 2 : 1);
  to.int(PERMISSION_ALL).text('auth').text('');
  if (access === 'publicRead') to.int(PERMISSION_READ).text('world').text('anyone');
}

export interface Creation {
  readonly kind: 'create';
  readonly path: string;
  readonly data: Uint8Array;
  readonly access: Access;
  /** A znode of the session, with a number behind its name. */
  readonly ephemeralSequential?: boolean;
}

/** A change of a transaction; all are made or none. */
export type Change =
  | Creation
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'setData'; readonly path: string; readonly data: Uint8Array }
  | { readonly kind: 'check'; readonly path: string; readonly version: number };

export interface Znode {
  readonly data: Buffer;
  readonly version: number;
  /** The session that the znode belongs to; 0 if it stays. */
  readonly owner: bigint;
}

/** A request, and how its answer is read. */
export interface Operation<T> {
  readonly number: number;
  write(to: JuteWriter): void;
  read(from: JuteReader): T;
}

function writeChange(to: JuteWriter, change: Change): void {
  switch (change.kind) {
    case 'create':
      to.text(change.path).buffer(change.data);
      writeAccess(to, change.access);
      to.int(change.ephemeralSequential ? EPHEMERAL | SEQUENTIAL : 0);
      return;
    case 'delete':
      to.text(change.path).int(ANY_VERSION);
      return;
    case 'setData':
      to.text(change.path).buffer(change.data).int(ANY_VERSION);
      return;
    case 'check':
      to.text(change.path).int(change.version);
  }
}

/** The fields of a Stat that are used, of its 68 bytes. */
function readStat(from: JuteReader): { readonly version: number; readonly owner: bigint } {
  from.skip(4 * 8);
  const version = from.int();
  from.skip(2 * 4);
  const owner = from.long();
  from.skip(2 * 4 + 8);
  return { version, owner };
}

export const createOperation = (creation: Creation): Operation<string> => ({
  number: OPERATION.create,
  write: (to) => writeChange(to, creation),
  read: (from) => from.text(),
});

export const deleteOperation = (path: string): Operation<void> => ({
  number: OPERATION.delete,
  write: (to) => writeChange(to, { kind: 'delete', path }),
  read: () => undefined,
});

export const getOperation = (path: string): Operation<Znode> => ({
  number: OPERATION.getData,
  write: (to) => void to.text(path).bool(false),
  read(from) {
    const data = from.buffer();
    return { data, ...readStat(from) };
  },
});

export const childrenOperation = (path: string, isWatched: boolean): Operation<readonly string[]> => ({
  number: OPERATION.getChildren,
  write: (to) => void to.text(path).bool(isWatched),
  read: (from) => Array.from({ length: from.length() }, () => from.text()),
});

export interface Children {
  readonly names: readonly string[];
  /** The transaction that made the parent. */
  readonly parentMadeAt: bigint;
}

export const listOperation = (path: string): Operation<Children> => ({
  number: OPERATION.getChildren2,
  write: (to) => void to.text(path).bool(false),
  read: (from) => ({
    names: Array.from({ length: from.length() }, () => from.text()),
    parentMadeAt: from.long(),
  }),
});

/** Thrown by the reader of a transaction that failed; session.ts makes it the answer. */
export class FailedTransaction extends Error {
  constructor(readonly error: ZooKeeperError) {
    super(error.text);
  }
}

/** Results in the order of the changes: the new version of a setData, undefined for the others. */
export const transactionOperation = (changes: readonly Change[]): Operation<readonly (number | undefined)[]> => ({
  number: OPERATION.multi,
  write(to) {
    for (const change of changes) {
      to.int(OPERATION[change.kind]).bool(false).int(-1);
      writeChange(to, change);
    }
    to.int(-1).bool(true).int(-1);
  },
  read(from) {
    const versions: (number | undefined)[] = [];
    let failure: ZooKeeperError | undefined;
    for (;;) {
      const type = from.int();
      const isLast = from.bool();
      from.skip(4);
      if (isLast) break;
      if (versions.length === changes.length) throw new InvalidResponse('a transaction has too many results');
      versions.push(type === OPERATION.setData ? readStat(from).version : undefined);
      if (type === OPERATION.create) from.text();
      // Changes beside the one that failed have the error -2.
      if (type === -1) {
        const number = from.int();
        if (number !== -2) failure ??= errorOf(number);
      }
    }
    if (failure !== undefined) throw new FailedTransaction(failure);
    if (versions.length !== changes.length) throw new InvalidResponse('a transaction has too few results');
    return versions;
  },
});

export const closeOperation: Operation<void> = {
  number: OPERATION.closeSession,
  write: () => {},
  read: () => undefined,
};

/** Prefixes a message with its length. */
const frame = (message: Buffer): Buffer => createJuteWriter().buffer(message).bytes();

export const requestFrame = (xid: number, { number, write }: Operation<unknown>): Buffer => {
  const writer = createJuteWriter().int(xid).int(number);
  write(writer);
  return frame(writer.bytes());
};

export const PING_FRAME: Buffer = frame(createJuteWriter().int(XID.ping).int(OPERATION.ping).bytes());

/** Scheme `digest`. */
export const authFrame = ({ user, password }: Login): Buffer =>
  frame(
    createJuteWriter()
      .int(XID.auth)
      .int(OPERATION.auth)
      .int(0)
      .text('digest')
      .buffer(Buffer.from(`${user}:${password}`))
      .bytes(),
  );

/** A session at the servers; id 0 asks for a new one. */
export interface SessionName {
  readonly id: bigint;
  readonly password: Buffer;
}

export const NEW_SESSION: SessionName = { id: 0n, password: Buffer.alloc(PASSWORD_BYTES) };

export const connectFrame = (session: SessionName, lastZxid: bigint, timeoutMs: number): Buffer =>
  frame(
    createJuteWriter()
      .int(0)
      .long(lastZxid)
      .int(timeoutMs)
      .long(session.id)
      .buffer(session.password)
      .bool(false)
      .bytes(),
  );

/** The session with the timeout that the server grants; undefined if the session has expired. */
export function readConnected(
  answer: Buffer,
): { readonly session: SessionName; readonly timeoutMs: number } | undefined {
  const from = createJuteReader(answer);
  from.int();
  const timeoutMs = from.int();
  const id = from.long();
  const password = Buffer.from(from.buffer());
  if (timeoutMs <= 0 || id === 0n) return undefined;
  if (password.length > 1024) throw new InvalidResponse('the password of the session is too long');
  return { session: { id, password }, timeoutMs };
}
