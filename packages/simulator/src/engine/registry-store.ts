// The masters' shared store, on the virtual clock: a fenced log that survives every master.
//
// REGISTRY-STORE-1: an append is answered after it was written, unless its master crashed.
// REGISTRY-STORE-2: appends of an epoch older than the newest that has read are refused.
// REGISTRY-STORE-3: a crash keeps a prefix of the master's unanswered appends.
// REGISTRY-STORE-4: an append whose answer is lost was written, and is answered as one whose outcome is unknown.
// REGISTRY-STORE-5: while the store answers nothing it writes nothing; then appends are written, or refused.
import { assert, type Random, uniform } from '@meseta/base';
import { decodeRegistry, encodeOperations } from '@meseta/master/registry/encode';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import type { RegistryState } from '@meseta/master/registry/state';
import { drawDelayMs } from './chance.js';
import type { Timeline } from './timeline.js';

export interface RegistryStore {
  meanWriteMs: number;
  /** Called once, at the next append, before it is written. */
  onNextWrite: (() => void) | undefined;
  /** The answer to the next append that is written is lost. */
  losesNextResponse: boolean;
  /** Until that time the store answers nothing. */
  answersFromMs: number;
  nextEpoch(): number;
  read(epoch: number): RegistryState;
  append(epoch: number, operations: readonly RegistryOperation[], done: (outcome: WriteOutcome) => void): void;
  /** The writer of this epoch ended: its appends are not answered any more. Returns the number of lost appends. */
  crash(epoch: number): number;
}

export type WriteOutcome = 'written' | 'fenced' | 'unknown';

interface Append {
  readonly epoch: number;
  readonly operations: readonly RegistryOperation[];
  done: ((outcome: WriteOutcome) => void) | undefined;
}

const RETRY_MS = 500;

export function createRegistryStore(
  timeline: Timeline,
  random: Random,
  onWritten: (operations: readonly RegistryOperation[], epoch: number) => void,
  /** An append was refused, or its answer is lost. */
  onFailed: (epoch: number) => void = () => {},
): RegistryStore {
  const batches: string[] = [];
  let newestReadEpoch = 0;
  let lastEpoch = 0;
  let pending: Append[] = [];

  const write = (append: Append): boolean => {
    if (append.epoch < newestReadEpoch) return false;
    batches.push(encodeOperations(append.operations));
    onWritten(append.operations, append.epoch);
    return true;
  };

  const store: RegistryStore = {
    meanWriteMs: 5,
    onNextWrite: undefined,
    losesNextResponse: false,
    answersFromMs: 0,
    nextEpoch: () => ++lastEpoch,
    read(epoch) {
      newestReadEpoch = Math.max(newestReadEpoch, epoch);
      const registry = decodeRegistry(undefined, batches);
      assert(registry.ok, 'the registry of this version can be read');
      return registry.value;
    },
    append(epoch, operations, done) {
      const append: Append = { epoch, operations, done };
      pending.push(append);
      const { onNextWrite } = store;
      store.onNextWrite = undefined;
      onNextWrite?.();
      const attempt = (): void => {
        if (append.done === undefined) return;
        if (timeline.nowMs() < store.answersFromMs) {
          timeline.after(RETRY_MS, attempt);
          return;
        }
        pending = pending.filter((it) => it !== append);
        const isWritten = write(append);
        const isLost = isWritten && store.losesNextResponse;
        if (isLost) store.losesNextResponse = false;
        if (isLost || !isWritten) onFailed(epoch);
        append.done(isLost ? 'unknown' : isWritten ? 'written' : 'fenced');
      };
      timeline.after(drawDelayMs(random, store.meanWriteMs), attempt);
    },
    crash(epoch) {
      const lost = pending.filter((append) => append.epoch === epoch);
      pending = pending.filter((append) => append.epoch !== epoch);
      const kept = Math.floor(uniform(random) * (lost.length + 1));
      lost.forEach((append, index) => {
        if (index < kept) write(append);
        append.done = undefined;
      });
      return lost.length - kept;
    },
  };
  return store;
}
