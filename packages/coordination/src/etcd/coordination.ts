// Coordination through etcd: each candidate has a key with its description that lasts as long as its lease, and the one whose
// key was created first leads.
//
// Owns: the client, this process' candidacy (a lease and its key), its term, and the leader as last read.
// ETCDCOORDINATION-1: the epoch of a term is the revision at which the candidate's key was created. A term begins when a
//     linearizable read shows no older key: the older ones, and with them the fences of all earlier terms, are gone for good.
// ETCDCOORDINATION-2: a candidacy has one lease, and its key is named by the lease, so a repeated request makes no second one.
//     The next candidacy has a new lease, so its epoch is greater.
// ETCDCOORDINATION-3: without a read for the time of a lease no leader is known.
// ETCDCOORDINATION-4: from its call until its term begins a candidate follows the log.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Result } from '@meseta/base';
import { createLeaderWatch, type LeaderWatch } from '../leader-watch.js';
import { followRecords, type RecordCopies, type RecordFollower } from '../record-follower.js';
import { createRecordLog, readRecordLog } from '../record-log.js';
import type { Login, Server } from '../service-address.js';
import { createTerm } from '../term.js';
import type { TlsContents } from '../tls-files.js';
import type { Coordination, LogReader, Term } from '../types.js';
import { createWarnings, type Warnings } from '../warnings.js';
import { createEtcdClient, type EtcdClient, type EtcdError } from './client.js';
import { holdLease, type Lease } from './lease.js';
import { type Contenders, contendCall, contendersCall, type Fence } from './protocol.js';
import { createEtcdRecords, readEtcdRecords } from './records.js';

export interface EtcdOptions {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Undefined: plain HTTP. */
  readonly tls: TlsContents | undefined;
  /** Begins with a slash and does not end with one. */
  readonly path: string;
  readonly sessionTimeoutMs: number;
  /** Called at each change of what keeps this process from its work; the text has no secrets. */
  warn(text: string): void;
}

/** What `contend` began; it ends with its lease. */
interface Candidacy {
  readonly info: Uint8Array;
  resolve(term: Term): void;
}

interface Contending {
  readonly lease: Lease;
  readonly key: string;
  /** Undefined until the key exists. */
  fence: Fence | undefined;
}

interface State {
  readonly options: EtcdOptions;
  readonly client: EtcdClient;
  readonly leader: LeaderWatch;
  /** The fences of terms, with the copies of the records that were made before, until the log is opened. */
  readonly beginnings: WeakMap<Term, { readonly fence: Fence; copies: RecordCopies | undefined }>;
  /** Until its term begins. */
  candidacy: Candidacy | undefined;
  /** Of the candidacy. */
  follower: RecordFollower | undefined;
  contending: Contending | undefined;
  /** Of the newest term, which may be over. */
  endTerm: (reason: string) => void;
  contactMs: number;
  isClosed: boolean;
  readonly warnings: Warnings;
  /** Ends the current pause. */
  wake: () => void;
}

/** Of the time of a lease. */
const POLL_SHARE = 1 / 4;
const CONTACT_SHARE = 1 / 12;
const RETRY_MS = 500;
const MASTERS = 'masters/';
const RECORDS = 'registry/records/';

export interface EtcdCoordination extends Coordination, LogReader {
  /** For tests. */
  readonly leaseId: () => string | undefined;
}

export function createEtcdCoordination(options: EtcdOptions): EtcdCoordination {
  const { servers, login, tls, sessionTimeoutMs: timeoutMs } = options;
  const state: State = {
    options,
    client: createEtcdClient({ servers, login, tls, timeoutMs }),
    leader: createLeaderWatch(),
    beginnings: new WeakMap(),
    candidacy: undefined,
    follower: undefined,
    contending: undefined,
    endTerm: () => {},
    contactMs: Number.NEGATIVE_INFINITY,
    isClosed: false,
    warnings: createWarnings('etcd', options.warn),
    wake: () => {},
  };
  state.client.watch(keyOf(state, MASTERS), () => state.wake());
  const contact = setInterval(() => {
    if (performance.now() - state.contactMs > timeoutMs) state.leader.set(undefined);
  }, timeoutMs * CONTACT_SHARE);
  void run(state);
  return {
    leaseId: () => state.contending?.lease.id,
    watch: state.leader.watch,
    contend(info) {
      return new Promise((resolve) => {
        state.candidacy = { info: Uint8Array.from(info), resolve };
        state.follower ??= followRecords({
          records: readEtcdRecords(state.client, keyOf(state, RECORDS), undefined),
          warn: state.warnings.report,
        });
        state.wake();
      });
    },
    openLog(term) {
      // A term of another coordination has no key here: its log is fenced.
      const elsewhere = { fence: { key: keyOf(state, MASTERS), createRevision: term.epoch }, copies: undefined };
      const beginning = state.beginnings.get(term) ?? elsewhere;
      const { fence, copies } = beginning;
      beginning.copies = undefined;
      return createRecordLog(createEtcdRecords(state.client, keyOf(state, RECORDS), fence), copies);
    },
    readLog: () => readRecordLog(readEtcdRecords(state.client, keyOf(state, RECORDS), undefined)),
    async close() {
      state.isClosed = true;
      stopFollowing(state);
      clearInterval(contact);
      state.wake();
      await state.contending?.lease.revoke();
      state.endTerm('closed');
      state.client.close();
      state.leader.clear();
    },
  };
}

const keyOf = ({ options }: State, name: string): string => `${options.path}/${name}`;

/** Reads the contenders, acts on what it sees, and waits for a change. */
async function run(state: State): Promise<void> {
  const pollMs = state.options.sessionTimeoutMs * POLL_SHARE;
  while (!state.isClosed) {
    const changed = new Promise<void>((resolve) => {
      state.wake = resolve;
    });
    const failure = await follow(state);
    if (state.isClosed) return;
    if (failure === undefined) state.warnings.clear();
    else state.warnings.report(failure);
    await (failure === undefined ? untilChanged(changed, pollMs) : sleep(RETRY_MS));
  }
}

/** Resolves at the change, or after the time. */
async function untilChanged(changed: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([changed, timeout]);
  clearTimeout(timer);
}

function stopFollowing(state: State): RecordCopies | undefined {
  const copies = state.follower?.stop();
  state.follower = undefined;
  return copies;
}

/** Looks at the contenders once, and acts on what it sees. Returns what failed. */
async function follow(state: State): Promise<string | undefined> {
  const contending = state.contending;
  const sentAtMs = performance.now();
  // Of a process that does not contend, a name that no key has.
  const own = contending?.key ?? keyOf(state, `${MASTERS}none`);
  const read = await state.client.call(contendersCall(keyOf(state, MASTERS), own));
  if (!read.ok) return textOf(read);
  state.contactMs = sentAtMs;
  const { oldest, hasOwn } = read.value;
  state.leader.set(oldest === undefined ? undefined : { info: Uint8Array.from(oldest.value) });
  if (contending !== undefined && contending === state.contending)
    return followOwn(state, contending, read.value, hasOwn);
  return state.candidacy === undefined ? undefined : beginContending(state, state.candidacy);
}

const textOf = (result: Result<unknown, EtcdError>): string | undefined => (result.ok ? undefined : result.error.text);

async function beginContending(state: State, { info }: Candidacy): Promise<string | undefined> {
  const held = await holdLease(state.client, state.options.sessionTimeoutMs);
  if (!held.ok) return held.error.text;
  const lease = held.value;
  if (state.isClosed) {
    await lease.revoke();
    return undefined;
  }
  const contending: Contending = { lease, key: keyOf(state, `${MASTERS}${lease.id}`), fence: undefined };
  state.contending = contending;
  void lease.ended.then((reason) => endContending(state, contending, reason));
  return createKey(state, contending, info);
}

async function createKey(state: State, contending: Contending, info: Uint8Array): Promise<string | undefined> {
  const { key, lease } = contending;
  const created = await state.client.call(contendCall(key, info, lease.id));
  if (!created.ok) return created.error.text;
  contending.fence = { key, createRevision: created.value };
  // Look again: whether it is the oldest.
  state.wake();
  return undefined;
}

function endContending(state: State, contending: Contending, reason: string): void {
  if (state.contending !== contending) return;
  state.contending = undefined;
  if (!state.isClosed) state.endTerm(reason);
  state.wake();
}

async function followOwn(
  state: State,
  contending: Contending,
  { oldest }: Contenders,
  hasOwn: boolean,
): Promise<string | undefined> {
  const { candidacy } = state;
  const { fence, lease } = contending;
  if (fence === undefined) return candidacy === undefined ? undefined : createKey(state, contending, candidacy.info);
  if (!hasOwn) {
    endContending(state, contending, 'its key was removed');
    await lease.revoke();
    return undefined;
  }
  if (candidacy === undefined || oldest?.key !== contending.key) return undefined;
  // ETCDCOORDINATION-1
  if (oldest.createRevision !== fence.createRevision) return 'the key of this candidate has another revision';
  const { term, end } = createTerm({
    epoch: fence.createRevision,
    validUntilMonoMs: lease.validUntilMonoMs,
    async withdraw() {
      state.contending = undefined;
      await lease.revoke();
      state.wake();
    },
  });
  state.endTerm = end;
  state.candidacy = undefined;
  state.beginnings.set(term, { fence, copies: stopFollowing(state) });
  candidacy.resolve(term);
  return undefined;
}
