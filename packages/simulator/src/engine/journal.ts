// The event log of a simulation: the newest entries, which explain a failure, and on request all of them as text.
// Entries refer to messages, which are immutable; they are searched and rendered only when they are read.

export interface Entry {
  readonly atMs: number;
  /** The part that recorded it: `master-1`, `agent-3`, `runner-0`, `faults`. */
  readonly who: string;
  readonly what: string;
  readonly detail: unknown;
}

export interface Journal {
  record(who: string, what: string, detail?: unknown): void;
  /** The newest entries that mention one of the ids in `subjects`, oldest first; without it, the newest of all. */
  last(count: number, subjects?: readonly string[]): readonly Entry[];
}

const KEPT = 60_000;

export function createJournal(nowMs: () => number, onLine?: (line: string) => void): Journal {
  let older: Entry[] = [];
  let newer: Entry[] = [];
  return {
    record(who, what, detail) {
      const entry: Entry = { atMs: nowMs(), who, what, detail };
      onLine?.(renderEntry(entry));
      newer.push(entry);
      if (newer.length < KEPT / 2) return;
      older = newer;
      newer = [];
    },
    last(count, subjects) {
      const wanted = subjects === undefined ? undefined : new Set(subjects);
      const all = [...older, ...newer];
      const fitting = wanted === undefined ? all : all.filter((it) => concerns(it.detail, wanted));
      return fitting.slice(-count);
    },
  };
}

const ID_FIELDS: ReadonlySet<string> = new Set(['task_id', 'agent_id', 'framework_id', 'offer_id', 'id']);
const DEEPEST = 6;

function concerns(message: unknown, ids: ReadonlySet<string>, depth = 0): boolean {
  if (typeof message !== 'object' || message === null || depth > DEEPEST) return false;
  return Object.entries(message).some(([key, field]) =>
    ID_FIELDS.has(key) && typeof field?.value === 'string'
      ? ids.has(field.value)
      : key !== 'resources' && concerns(field, ids, depth + 1),
  );
}

export function renderEntry({ atMs, who, what, detail }: Entry): string {
  const shown = detail === undefined ? '' : ` ${short(detail)}`;
  return `${(atMs / 1000).toFixed(3).padStart(9)}  ${who.padEnd(12)} ${what}${shown}`;
}

const LONGEST = 600;

function short(detail: unknown): string {
  if (typeof detail === 'string') return detail;
  const text = JSON.stringify(detail, (_, field: unknown) => (typeof field === 'bigint' ? Number(field) : field)) ?? '';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
