// What happened: a bounded memory of records that a failure is explained from, and (on request) the whole as text.
// Records hold references to messages, which never change, and are turned into text only when somebody looks.

export interface Entry {
  readonly atMs: number;
  /** Who saw it: `master-1`, `agent-3`, `runner-0`, `faults`. */
  readonly who: string;
  readonly what: string;
  readonly detail: unknown;
  /** Ids that it concerns: of agents, frameworks, tasks, offers. */
  readonly subjects: readonly string[];
}

export interface Journal {
  record(who: string, what: string, detail?: unknown, subjects?: readonly string[]): void;
  /** The last entries that concern any of the subjects, oldest first; without subjects: the last of all. */
  last(count: number, subjects?: readonly string[]): readonly Entry[];
}

const KEPT = 60_000;

export function createJournal(nowMs: () => number, onLine?: (line: string) => void): Journal {
  let older: Entry[] = [];
  let newer: Entry[] = [];
  return {
    record(who, what, detail, subjects = []) {
      const entry: Entry = { atMs: nowMs(), who, what, detail, subjects };
      onLine?.(renderEntry(entry));
      newer.push(entry);
      if (newer.length < KEPT / 2) return;
      older = newer;
      newer = [];
    },
    last(count, subjects) {
      const wanted = subjects === undefined ? undefined : new Set(subjects);
      const all = [...older, ...newer];
      const fitting = wanted === undefined ? all : all.filter((it) => it.subjects.some((id) => wanted.has(id)));
      return fitting.slice(-count);
    },
  };
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
