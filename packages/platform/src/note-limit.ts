// Notes that strangers can cause again and again: one line of each kind in a while, with how many were left out.

const INTERVAL_MS = 10_000;

export interface NoteLimit {
  /** How many notes of the kind were left out since the last one that was let through; undefined: this one is left out. */
  admit(kind: string): number | undefined;
}

export function createNoteLimit(nowMs: () => number): NoteLimit {
  const kinds = new Map<string, { nextMs: number; leftOut: number }>();
  return {
    admit(kind) {
      const now = nowMs();
      const known = kinds.get(kind);
      if (known !== undefined && now < known.nextMs) {
        known.leftOut++;
        return undefined;
      }
      kinds.set(kind, { nextMs: now + INTERVAL_MS, leftOut: 0 });
      return known?.leftOut ?? 0;
    },
  };
}
