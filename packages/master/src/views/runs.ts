// Encodes lists of records in runs of a few dozen records. Little changes between two requests, so a run whose records are
// the same as in the last rendering is not encoded again: its bytes are reused.
//
// RUNS-1: the bytes are the same as without reuse. Records never change, and encoding depends only on the record and on the
//     key of the rendering, so the same records in the same order have the same bytes.
// RUNS-2: a run is found by its first record, so it is also reused when it has moved in the list. A new run ends before the
//     first record of a known run, but not before MIN_RUN_RECORDS records, so many small changes do not leave many small runs.
// RUNS-3: a rendering keeps only its own runs, so all kept runs hold no more bytes than the rendering.

import type { AgentView } from './snapshot.js';

export interface Run {
  readonly items: readonly object[];
  readonly bytes: Uint8Array;
}

/** The runs of one list, by their first record. */
export type Runs = Map<object, Run>;

/** The runs of a rendering, by the name of the list. */
export type RunsByList = Map<string, Runs>;

/** The part of a rendering that the next rendering with the same key may reuse. */
export interface Remembered {
  readonly lists: RunsByList;
  readonly agents: readonly AgentView[];
}

/** A document in pieces of text or bytes. */
export type Document = Generator<string | Uint8Array, Remembered>;

const MAX_RUN_RECORDS = 32;
const MIN_RUN_RECORDS = 8;

export interface Lists {
  /** Encodes the records of a list, one piece per run. */
  list<T extends object>(
    name: string,
    items: readonly T[],
    write: (items: readonly T[]) => Uint8Array,
  ): Generator<Uint8Array>;
  /** The runs of all lists encoded so far. */
  readonly written: RunsByList;
}

/** `earlier`: the runs of the last rendering. */
export function createLists(earlier: RunsByList | undefined): Lists {
  const written: RunsByList = new Map();
  return {
    *list(name, items, write) {
      const before = earlier?.get(name);
      const runs = written.get(name) ?? new Map<object, Run>();
      written.set(name, runs);
      for (let at = 0; at < items.length; ) {
        const run = findRun(before, items, at) ?? encodeRun(before, items, at, write);
        runs.set(run.items[0] as object, run);
        at += run.items.length;
        yield run.bytes;
      }
    },
    written,
  };
}

/** The earlier run with the records from `at` on. A short run is reused only at the end of the list. */
function findRun(before: Runs | undefined, items: readonly object[], at: number): Run | undefined {
  const run = before?.get(items[at] as object);
  if (run === undefined) return undefined;
  const { length } = run.items;
  const remaining = items.length - at;
  if (length > remaining || (length < MIN_RUN_RECORDS && length < remaining)) return undefined;
  for (let i = 1; i < length; i++) if (run.items[i] !== items[at + i]) return undefined;
  return run;
}

function encodeRun<T extends object>(
  before: Runs | undefined,
  items: readonly T[],
  at: number,
  write: (items: readonly T[]) => Uint8Array,
): Run {
  const most = Math.min(items.length, at + MAX_RUN_RECORDS);
  let end = at + 1;
  while (end < most && !(end - at >= MIN_RUN_RECORDS && before?.has(items[end] as T))) end++;
  const run = items.slice(at, end);
  return { items: run, bytes: write(run) };
}

const encoder = new TextEncoder();
let scratch = new Uint8Array(64 * 1024);

/** The UTF-8 of a text in a new buffer of exactly its size. */
export function utf8Of(text: string): Uint8Array {
  const most = text.length * 3;
  if (scratch.length < most) scratch = new Uint8Array(most * 2);
  const { written } = encoder.encodeInto(text, scratch);
  return scratch.slice(0, written);
}

const COMMA = 1;

/** The elements of a JSON array: the text of each record, separated by commas. */
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
