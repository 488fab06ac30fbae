// Coordination through ZooKeeper, as Mesos' masters use it: each candidate has an ephemeral sequential znode with its
// description, and the one with the lowest number leads.
//
// Owns: the session and what follows its end (a new one), this process' znode, its term, and the leader as last read.
// ZKCOORDINATION-1: a term begins with a transaction that checks that this candidate's znode exists and increases the version
//     of the epoch's znode. The znode goes with the session, so a candidate whose session has expired begins no term.
// ZKCOORDINATION-2: a session has at most one znode of this candidate: before it makes one, it looks for one that an
//     unanswered request has made.
// ZKCOORDINATION-3: without a session no leader is known.
// ZKCOORDINATION-4: from its call until its term begins a candidate follows the log. Copies are used by a term of the session that
//     made them only: within a session the history of the service has one direction.
import { setTimeout as sleep } from 'node:timers/promises';
import { createLeaderWatch, type LeaderWatch } from '../leader-watch.js';
import { followRecords, type RecordCopies, type RecordFollower } from '../record-follower.js';
import { createRecordLog, readRecordLog } from '../record-log.js';
import type { Login, Server } from '../service-address.js';
import { createTerm } from '../term.js';
import type { TlsContents } from '../tls-files.js';
import type { Coordination, FencedLog, LogReader, Term } from '../types.js';
import { createWarnings, type Warnings } from '../warnings.js';
import {
  type Access,
  childrenOperation,
  createOperation,
  deleteOperation,
  getOperation,
  transactionOperation,
  type Znode,
  type ZooKeeperError,
} from './protocol.js';
import { createZooKeeperRecords, readZooKeeperRecords } from './records.js';
import { CONTENDER, contendersOf, pathsTo, type ZnodePaths, znodePaths } from './registry-path.js';
import { openSession, type Session } from './session.js';

export interface ZooKeeperOptions {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Undefined: without TLS. */
  readonly tls: TlsContents | undefined;
  /** Begins with a slash and does not end with one. */
  readonly path: string;
  readonly sessionTimeoutMs: number;
  /** Called at each change of what keeps this process from its work; the text has no secrets. */
  warn(text: string): void;
}

interface Candidate {
  readonly info: Uint8Array;
  resolve(term: Term): void;
}

interface State {
  readonly options: ZooKeeperOptions;
  readonly paths: ZnodePaths;
  readonly leader: LeaderWatch;
  session: Session;
  /** Until its term begins. */
  candidate: Candidate | undefined;
  /** Of the candidate, in the current session. */
  follower: RecordFollower | undefined;
  /** The name of this candidate's znode in the session. */
  own: string | undefined;
  /** Of the newest term, which may be over. */
  endTerm: (reason: string) => void;
  isClosed: boolean;
  readonly warnings: Warnings;
  /** Ends the current pause. */
  wake: () => void;
  /** Calls `wake`. */
  readonly onChildren: () => void;
}

/** The sessions in which terms have begun, with the copies of the records that were made before, until the log is opened. */
type Beginnings = WeakMap<Term, { readonly session: Session; copies: RecordCopies | undefined }>;

const NO_DATA = new Uint8Array();
const RETRY_MS = 500;

export interface ZooKeeperCoordination extends Coordination, LogReader {
  /** For tests. */
  readonly session: () => Session;
}

export function createZooKeeperCoordination(options: ZooKeeperOptions): ZooKeeperCoordination {
  const warnings = createWarnings('ZooKeeper', options.warn);
  const state: State = {
    options,
    paths: znodePaths(options.path),
    leader: createLeaderWatch(),
    session: newSession(options, warnings),
    candidate: undefined,
    follower: undefined,
    own: undefined,
    endTerm: () => {},
    isClosed: false,
    warnings,
    wake: () => {},
    onChildren: () => state.wake(),
  };
  const beginnings: Beginnings = new WeakMap();
  void runSessions(state, beginnings);
  return {
    session: () => state.session,
    watch: state.leader.watch,
    contend(info) {
      return new Promise((resolve) => {
        state.candidate = { info: Uint8Array.from(info), resolve };
        state.wake();
      });
    },
    openLog(term): FencedLog {
      const beginning = beginnings.get(term) ?? { session: state.session, copies: undefined };
      const { session, copies } = beginning;
      beginning.copies = undefined;
      const access = accessOf(state, 'creator');
      return createRecordLog(createZooKeeperRecords(session, state.paths, term.epoch, access), copies);
    },
    readLog: () => readRecordLog(readZooKeeperRecords(() => state.session, state.paths)),
    async close() {
      state.isClosed = true;
      stopFollowing(state);
      state.wake();
      await state.session.close();
      state.endTerm('closed');
      state.leader.clear();
    },
  };
}

const newSession = ({ servers, login, tls, sessionTimeoutMs }: ZooKeeperOptions, { report }: Warnings): Session =>
  openSession({ servers, login, tls, timeoutMs: sessionTimeoutMs, warn: report });

const accessOf = ({ options }: State, access: Access): Access => (options.login === undefined ? 'open' : access);

async function runSessions(state: State, beginnings: Beginnings): Promise<void> {
  while (!state.isClosed) {
    const { session } = state;
    let isEnded = false;
    void session.ended.then((reason) => {
      isEnded = true;
      if (!state.isClosed) state.warnings.report(`the session has ended: ${reason}`);
      state.endTerm(reason);
      state.own = undefined;
      stopFollowing(state);
      state.leader.set(undefined);
      state.wake();
    });
    while (!isEnded && !state.isClosed) {
      const changed = pauseUntilWoken(state);
      const failure = await look(state, session, beginnings);
      if (isEnded || state.isClosed) break;
      if (failure === undefined) state.warnings.clear();
      else state.warnings.report(failure);
      await Promise.race(failure === undefined ? [changed] : [changed, sleep(RETRY_MS)]);
    }
    if (state.isClosed) return;
    // A refused password ends each session at once.
    await sleep(RETRY_MS);
    if (!state.isClosed) state.session = newSession(state.options, state.warnings);
  }
}

const pauseUntilWoken = (state: State): Promise<void> =>
  new Promise((resolve) => {
    state.wake = resolve;
  });

function stopFollowing(state: State): RecordCopies | undefined {
  const copies = state.follower?.stop();
  state.follower = undefined;
  return copies;
}

const textOf = (path: string, { text }: ZooKeeperError): string => `${path}: ${text}`;

/** Looks at the contenders once, and acts on what it sees. Returns what failed. */
async function look(state: State, session: Session, beginnings: Beginnings): Promise<string | undefined> {
  const { base } = state.paths;
  const made = await makePath(session, base, accessOf(state, 'publicRead'));
  if (made !== undefined) return made;
  // Before the request: a report may precede the answer's handler.
  session.onChildren(base, state.onChildren);
  const names = await session.read(childrenOperation(base, true));
  if (!names.ok) return textOf(base, names.error);
  const contenders = contendersOf(names.value);
  if (state.own !== undefined && !contenders.includes(state.own)) {
    state.own = undefined;
    state.endTerm('its znode was removed');
  }
  const reported = await reportLeader(state, session, contenders[0]);
  if (reported !== undefined || state.candidate === undefined) return reported;
  state.follower ??= followRecords({
    records: readZooKeeperRecords(() => session, state.paths),
    warn: state.warnings.report,
  });
  if (state.own === undefined) return contendIn(state, session, contenders);
  return contenders[0] === state.own ? beginTerm(state, session, state.candidate, state.own, beginnings) : undefined;
}

async function reportLeader(state: State, session: Session, name: string | undefined): Promise<string | undefined> {
  if (name === undefined) {
    state.leader.set(undefined);
    return undefined;
  }
  const path = `${state.paths.base}/${name}`;
  const znode = await session.read(getOperation(path));
  if (znode.ok) state.leader.set({ info: Uint8Array.from(znode.value.data) });
  // Removed since: the watch reports it.
  return znode.ok || znode.error.code === 'noNode' ? undefined : textOf(path, znode.error);
}

/** Makes the path and those above it where they are missing. */
async function makePath(session: Session, path: string, access: Access): Promise<string | undefined> {
  const existing = await session.read(getOperation(path));
  if (existing.ok) return undefined;
  if (existing.error.code !== 'noNode') return textOf(path, existing.error);
  for (const each of pathsTo(path)) {
    const made = await session.change(createOperation({ kind: 'create', path: each, data: NO_DATA, access }));
    // A chroot may exist above, where this user may not create anything.
    const isFine = made.ok || made.error.code === 'nodeExists' || (each !== path && made.error.code === 'noAuth');
    if (!isFine) return textOf(each, made.error);
  }
  return undefined;
}

/** ZKCOORDINATION-2 */
async function contendIn(state: State, session: Session, contenders: readonly string[]): Promise<string | undefined> {
  const { base } = state.paths;
  for (const name of contenders) {
    const znode = await session.read<Znode>(getOperation(`${base}/${name}`));
    if (!znode.ok || znode.value.owner !== session.id()) continue;
    const removed = await session.change(deleteOperation(`${base}/${name}`));
    if (!removed.ok && removed.error.code !== 'noNode') return textOf(name, removed.error);
  }
  const data = state.candidate?.info ?? NO_DATA;
  const access = accessOf(state, 'publicRead');
  const path = `${base}/${CONTENDER}`;
  const made = await session.change(createOperation({ kind: 'create', path, data, access, ephemeralSequential: true }));
  if (!made.ok) return textOf(path, made.error);
  state.own = made.value.slice(base.length + 1);
  // Look again: the watch reports the new znode.
  return undefined;
}

/** ZKCOORDINATION-1 */
async function beginTerm(
  state: State,
  session: Session,
  candidate: Candidate,
  own: string,
  beginnings: Beginnings,
): Promise<string | undefined> {
  const { base, epoch, records } = state.paths;
  for (const path of [epoch, records]) {
    const made = await makePath(session, path, accessOf(state, 'creator'));
    if (made !== undefined) return made;
  }
  const path = `${base}/${own}`;
  const begun = await session.change(
    transactionOperation([
      { kind: 'check', path, version: 0 },
      { kind: 'setData', path: epoch, data: NO_DATA },
    ]),
  );
  if (!begun.ok) return begun.error.code === 'noNode' ? undefined : textOf(epoch, begun.error);
  const version = begun.value[1];
  if (version === undefined) return textOf(epoch, { code: 'other', text: 'the server did not answer with a version' });
  const { term, end } = createTerm({
    epoch: version,
    validUntilMonoMs: session.validUntilMonoMs,
    async withdraw() {
      await session.change(deleteOperation(path));
      state.own = undefined;
    },
  });
  state.endTerm = end;
  beginnings.set(term, { session, copies: stopFollowing(state) });
  state.candidate = undefined;
  candidate.resolve(term);
  return undefined;
}
