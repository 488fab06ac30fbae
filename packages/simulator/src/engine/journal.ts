// The event log of a simulation: the newest entries, which explain a failure, and on request all of them as text.
// Entries refer to messages, which are immutable; they are searched and rendered only when they are read.

export interface JournalEntry {
  readonly atMs: number;
  /** The part that recorded it: `master-1`, `agent-3`, `runner-0`, `faults`. */
  readonly who: string;
  readonly what: string;
  readonly detail: unknown;
}

export interface Journal {
  record(who: string, what: string, detail?: unknown): void;
  /** The newest entries that mention one of the ids in `subjects`, oldest first; without it, the newest of all. */
  last(count: number, subjects?: readonly string[]): readonly JournalEntry[];
}

const MAX_ENTRIES = 60_000;

export function createJournal(nowMs: () => number, onLine?: (line: string) => void): Journal {
  let older: JournalEntry[] = [];
  let newer: JournalEntry[] = [];
  return {
    record(who, what, detail) {
      const entry: JournalEntry = { atMs: nowMs(), who, what, detail };
      onLine?.(renderEntry(entry));
      newer.push(entry);
      if (newer.length < MAX_ENTRIES / 2) return;
      older = newer;
      newer = [];
    },
    last(count, subjects) {
      const ids = subjects === undefined ? undefined : new Set(subjects);
      const all = [...older, ...newer];
      const matching = ids === undefined ? all : all.filter((it) => mentions(it.detail, ids));
      return matching.slice(-count);
    },
  };
}

const ID_FIELDS: ReadonlySet<string> = new Set(['task_id', 'agent_id', 'framework_id', 'offer_id', 'id']);
const MAX_DEPTH = 6;

function mentions(message: unknown, ids: ReadonlySet<string>, depth = 0): boolean {
  if (typeof message !== 'object' || message === null || depth > MAX_DEPTH) return false;
  return Object.entries(message).some(([key, field]) =>
    ID_FIELDS.has(key) && typeof field?.value === 'string'
      ? ids.has(field.value)
      : key !== 'resources' && mentions(field, ids, depth + 1),
  );
}

export function renderEntry({ atMs, who, what, detail }: JournalEntry): string {
  const shown = detail === undefined ? '' : ` ${renderDetail(detail)}`;
  return `${(atMs / 1000).toFixed(3).padStart(9)}  ${who.padEnd(12)} ${what}${shown}`;
}

const MAX_DETAIL_LENGTH = 600;

function renderDetail(detail: unknown): string {
  if (typeof detail === 'string') return detail;
  const text = JSON.stringify(detail, (_, field: unknown) => (typeof field === 'bigint' ? Number(field) : field)) ?? '';
  return text.length > MAX_DETAIL_LENGTH ? `${text.slice(0, MAX_DETAIL_LENGTH)}...` : text;
}
