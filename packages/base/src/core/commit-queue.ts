// The changes that a core makes durable, and the work that waits for them. They are plain data in the state of the core:
// work is a record with a handler's name and ids, not a closure, because the agent, framework or task of an id may be
// removed before the store has written the batch.
//
// Owns: the batches in flight to the store, the batch that is being collected, and the work that is ready.
// Boundary: nothing here applies a change or calls a handler. The core proposes changes, takes the batch at the end of a
// step, gives it to the store as an effect, and does the ready work.
// COMMIT-QUEUE-1: the store completes batches in the order in which it got them.
// COMMIT-QUEUE-2: work becomes ready in the order in which it was added, once every change of its batch and of all
//     batches before it is durable; work that waits for no change is ready in the step that adds it.

interface Batch<Change, Work> {
  readonly changes: Change[];
  readonly work: Work[];
}

export interface CommitQueue<Change, Work> {
  /** Given to the store and not yet durable, oldest first. */
  readonly inFlight: Batch<Change, Work>[];
  /** Collected since the last batch was given to the store. */
  next: Batch<Change, Work>;
  /** Work whose changes are all durable. */
  readonly ready: Work[];
}

const createBatch = <Change, Work>(): Batch<Change, Work> => ({ changes: [], work: [] });

export const createCommitQueue = <Change, Work>(): CommitQueue<Change, Work> => ({
  inFlight: [],
  next: createBatch(),
  ready: [],
});

/** Adds a change to the batch that is being collected. */
export function proposeChange<Change, Work>({ next }: CommitQueue<Change, Work>, change: Change): void {
  next.changes.push(change);
}

/** Adds work that waits for every change of the batch that is being collected, also those proposed after it. */
export function addWork<Change, Work>({ next }: CommitQueue<Change, Work>, work: Work): void {
  next.work.push(work);
}

/** Adds work that waits for no change. */
export function addReadyWork<Change, Work>({ ready }: CommitQueue<Change, Work>, work: Work): void {
  ready.push(work);
}

/** Makes the collected work ready if no change is outstanding. Returns whether there was any. */
export function settleCommits<Change, Work>({ inFlight, next, ready }: CommitQueue<Change, Work>): boolean {
  if (inFlight.length > 0 || next.changes.length > 0 || next.work.length === 0) return false;
  for (const work of next.work.splice(0)) ready.push(work);
  return true;
}

/** Does the ready work, and the work that becomes ready meanwhile. */
export function doReadyWork<Change, Work>({ ready }: CommitQueue<Change, Work>, doWork: (work: Work) => void): void {
  for (const work of ready) doWork(work);
  ready.length = 0;
}

/** The changes to give to the store now; undefined if there are none, or `mostInFlight` batches are in flight. */
export function takeBatch<Change, Work>(
  queue: CommitQueue<Change, Work>,
  mostInFlight: number,
): readonly Change[] | undefined {
  const { inFlight, next } = queue;
  if (inFlight.length >= mostInFlight || (next.changes.length === 0 && next.work.length === 0)) return undefined;
  inFlight.push(next);
  queue.next = createBatch();
  return next.changes;
}

/** The oldest batch in flight is durable, so its work is ready. Returns its changes; undefined if there is no batch. */
export function completeBatch<Change, Work>({
  inFlight,
  ready,
}: CommitQueue<Change, Work>): readonly Change[] | undefined {
  const batch = inFlight.shift();
  for (const work of batch?.work ?? []) ready.push(work);
  return batch?.changes;
}
