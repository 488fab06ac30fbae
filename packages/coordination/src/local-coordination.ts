// Coordination on one machine: the candidates of one store lead one after the other, in the order of their calls. One master
// in its work directory is the only candidate and leads at once.
//
// Owns: the queue of candidates and the current term.
// LOCAL-COORDINATION-1: a candidate leads once its epoch is durable in the store and the term before it has ended.
import { err, ok, type Result } from '@meseta/base';
import { reasonOf } from './environment.js';
import { createLeaderWatch } from './leader-watch.js';
import type { Fenced, LocalStore } from './local-store.js';
import type { Coordination, FencedLog, StoreError, Term } from './types.js';

export function createLocalCoordination(store: LocalStore): Coordination {
  const leader = createLeaderWatch();
  let previousTerm: Promise<unknown> = Promise.resolve();
  let endTerm: (reason: string) => void = () => {};
  let isClosed = false;

  const beginTerm = async (info: Uint8Array, lost: Promise<string>, end: (reason: string) => void): Promise<Term> => {
    const epoch = await store.nextEpoch();
    endTerm = (reason) => {
      leader.set(undefined);
      end(reason);
    };
    if (isClosed) endTerm('closed');
    else leader.set({ info });
    const resign = async (): Promise<void> => endTerm('resigned');
    return { epoch, lost, validUntilMonoMs: () => Number.POSITIVE_INFINITY, resign };
  };

  return {
    contend(info) {
      const copy = Uint8Array.from(info);
      let end: (reason: string) => void = () => {};
      const lost = new Promise<string>((resolve) => {
        end = resolve;
      });
      const term = previousTerm.then(() => beginTerm(copy, lost, end));
      // A candidate without an epoch does not hold up the next one.
      term.catch(() => end('the store failed'));
      previousTerm = lost;
      return term;
    },
    watch: leader.watch,
    openLog: ({ epoch }) => openLocalLog(store, epoch),
    async close() {
      isClosed = true;
      endTerm('closed');
      leader.clear();
      await store.close();
    },
  };
}

/** FENCEDLOG-4 is the store's: LMDBSTORE-4. */
const openLocalLog = (store: LocalStore, epoch: number): FencedLog => ({
  read: () => toStoreResult(store.read(epoch)),
  append: (batch) => toStoreResult(store.append(epoch, batch)),
  snapshot: (bytes) => toStoreResult(store.snapshot(epoch, bytes)),
});

async function toStoreResult<T>(done: Promise<Result<T, Fenced>>): Promise<Result<T, StoreError>> {
  try {
    const result = await done;
    if (result.ok) return ok(result.value);
    const { newest, epoch } = result.error;
    return err({ code: 'fenced', text: `another master has taken over: epoch ${newest} after ${epoch}` });
  } catch (cause) {
    return err({ code: 'unknownOutcome', text: reasonOf(cause) });
  }
}
