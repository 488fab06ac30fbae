// The registry's log: it is read when the term begins; then batches are appended, and a snapshot replaces them when they have
// grown.
//
// Owns: the number of bytes written since the last snapshot, and whether the term has written its format (ENCODE-2).
// REGISTRYLOG-1: batches are appended in the order of the core's effects, and each is answered once it is durable.
// REGISTRYLOG-2: a snapshot contains every batch that was appended before it. The core has at most one batch with the store,
//     so its durable registry is complete when it persists the next one, and does not change until that is answered. So the
//     snapshot can be encoded in slices, and the batch is appended after it.
// REGISTRYLOG-3: a failed or fenced write ends the process, because nothing may be answered that is not durable.
import { assert, err, type Result } from '@meseta/base';
import type { FencedLog, StoreError } from '@meseta/coordination';
import { decodeRegistry, encodeOperations, encodeRegistry, formatLine } from '../registry/encode.js';
import type { RegistryOperation } from '../registry/operations.js';
import type { RegistryState } from '../registry/state.js';
import type { MasterTimings } from '../views/metrics.js';

export interface RegistryLog {
  read(): Promise<Result<RegistryState, StoreError>>;
  persist(operations: readonly RegistryOperation[], durable: RegistryState): void;
}

export interface RegistryLogOptions {
  readonly log: FencedLog;
  readonly timings: MasterTimings;
  onPersisted(): void;
  /** A write failed, so this master must end. */
  onFailure(text: string): void;
}

/**
 * A snapshot is due when the batches since the last one are larger than both that snapshot and this limit: about thirty
 * thousand admissions, which are read in less than 0.1 s.
 */
const minBytesBetweenSnapshots = 2 ** 24;

const sliceMs = 2;

async function encodeInSlices(durable: RegistryState): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let text = '';
  let until = performance.now() + sliceMs;
  for (const line of encodeRegistry(durable)) {
    text += line;
    if (performance.now() < until) continue;
    pieces.push(Buffer.from(text));
    text = '';
    await new Promise(setImmediate);
    until = performance.now() + sliceMs;
  }
  return Buffer.concat([...pieces, Buffer.from(text)]);
}

const fromBytes = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

export function createRegistryLog({ log, timings, onPersisted, onFailure }: RegistryLogOptions): RegistryLog {
  let bytesSinceSnapshot = 0;
  let snapshotBytes = 0;
  let hasFormat = false;

  const settle = async (written: Promise<Result<void, StoreError>>, done: () => void): Promise<void> => {
    const result = await written;
    if (result.ok) return done();
    const { code, text } = result.error;
    onFailure(code === 'fenced' ? text : `the registry can't be written: ${text}`);
  };

  const snapshot = async (durable: RegistryState): Promise<void> => {
    const bytes = await encodeInSlices(durable);
    snapshotBytes = bytes.length;
    bytesSinceSnapshot = 0;
    void settle(log.snapshot(bytes), () => undefined);
  };

  const append = (operations: readonly RegistryOperation[]): void => {
    const batch = Buffer.from(`${hasFormat ? '' : formatLine}${encodeOperations(operations)}`);
    hasFormat = true;
    bytesSinceSnapshot += batch.length;
    timings.registrySizeBytes = snapshotBytes + bytesSinceSnapshot;
    const beganMs = performance.now();
    void settle(log.append(batch), () => {
      timings.registryStore.add(performance.now() - beganMs);
      onPersisted();
    });
  };

  return {
    async read() {
      const beganMs = performance.now();
      const contents = await log.read();
      if (!contents.ok) return contents;
      const { snapshot, batches } = contents.value;
      snapshotBytes = snapshot?.length ?? 0;
      bytesSinceSnapshot = batches.reduce((sum, batch) => sum + batch.length, 0);
      const registry = decodeRegistry(snapshot === undefined ? undefined : fromBytes(snapshot), batches.map(fromBytes));
      if (!registry.ok) return err({ code: 'unavailable', text: registry.error });
      timings.registryFetchMs = performance.now() - beganMs;
      timings.registrySizeBytes = snapshotBytes + bytesSinceSnapshot;
      return registry;
    },
    persist(operations, durable) {
      assert(operations.length > 0, 'a batch has at least one operation');
      if (bytesSinceSnapshot <= Math.max(snapshotBytes, minBytesBetweenSnapshots)) append(operations);
      else void snapshot(durable).then(() => append(operations));
    },
  };
}
