// Lists of records, written in runs of some dozens. A cluster changes little between two readings: a run whose records
// are all the same ones as in the last rendering is not written again, its bytes are taken over.
//
// RUNS-1: the bytes are those that writing every record would give: records never change, so the same records in the same
//     order are the same text. (The one who writes depends on the record and on the rendering's key alone.)
// RUNS-2: runs are found again wherever they have moved to: by their first record. A run is written up to the next known
//     first record, but is never left short, so that many small changes don't leave many small runs.
// RUNS-3: a rendering remembers only the runs that it has itself; so all of them together hold no more than its bytes.

import type { AgentView } from './snapshot.js';

export interface Run {
  readonly items: readonly object[];
  readonly bytes: Uint8Array;
}

/** The runs of one list, by their first record. */
export type Runs = Map<object, Run>;

/** What a rendering remembers for the next of the same key: the runs of each list, by its name. */
export type Written = Map<string, Runs>;

/** What a document remembers for the next of its key. */
export interface Remembered {
  readonly lists: Written;
  readonly agents: readonly AgentView[];
}

/** A document in pieces: text, and bytes as they are. */
export type Document = Generator<string | Uint8Array, Remembered>;

const LONG = 32;
const SHORT = 8;

export interface Lists {
  /** The bytes of the list's records, a run a piece. */
  list<T extends object>(
    name: string,
    items: readonly T[],
    write: (items: readonly T[]) => Uint8Array,
  ): Generator<Uint8Array>;
  /** Of all lists so far. */
  readonly written: Written;
}

/** `earlier`: what the last rendering remembered. */
export function createLists(earlier: Written | undefined): Lists {
  const written: Written = new Map();
  return {
    *list(name, items, write) {
      const before = earlier?.get(name);
      const now = written.get(name) ?? new Map<object, Run>();
      written.set(name, now);
      for (let at = 0; at < items.length; ) {
        const run = known(before, items, at) ?? writtenNow(before, items, at, write);
        now.set(run.items[0] as object, run);
        at += run.items.length;
        yield run.bytes;
      }
    },
    written,
  };
}

/** The run that begins here and goes on as it did, unless it is a short one in the middle. */
function known(before: Runs | undefined, items: readonly object[], at: number): Run | undefined {
  const run = before?.get(items[at] as object);
  if (run === undefined) return undefined;
  const { length } = run.items;
  const left = items.length - at;
  if (length > left || (length < SHORT && length < left)) return undefined;
  for (let i = 1; i < length; i++) if (run.items[i] !== items[at + i]) return undefined;
  return run;
}

function writtenNow<T extends object>(
  before: Runs | undefined,
  items: readonly T[],
  at: number,
  write: (items: readonly T[]) => Uint8Array,
): Run {
  const most = Math.min(items.length, at + LONG);
  let end = at + 1;
  while (end < most && !(end - at >= SHORT && before?.has(items[end] as T))) end++;
  const run = items.slice(at, end);
  return { items: run, bytes: write(run) };
}

const encoder = new TextEncoder();
let scratch = new Uint8Array(64 * 1024);

/** A text's UTF-8 in memory of its own. */
export function utf8Of(text: string): Uint8Array {
  const most = text.length * 3;
  if (scratch.length < most) scratch = new Uint8Array(most * 2);
  const { written } = encoder.encodeInto(text, scratch);
  return scratch.slice(0, written);
}

const COMMA = 1;

/** The elements of a JSON array: each record's text, with commas between them. */
export function* jsonElements<T extends object>(
  lists: Lists,
  name: string,
  items: readonly T[],
  write: (item: T) => string,
): Generator<Uint8Array> {
  const writeAll = (run: readonly T[]): Uint8Array => {
    let text = '';
    for (const item of run) text += `,${write(item)}`;
    return utf8Of(text);
  };
  let first = true;
  for (const bytes of lists.list(name, items, writeAll)) {
    yield first ? bytes.subarray(COMMA) : bytes;
    first = false;
  }
}
