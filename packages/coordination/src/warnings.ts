// Warnings of a process that tries the same thing again and again: each text is reported once until another one or a success.

export interface Warnings {
  /** Reports the text, unless it is the same as the last one. */
  report(text: string): void;
  /** After a success; the next text is reported even if it is the same as the last one. */
  clear(): void;
}

/** `service` precedes each text. */
export function createWarnings(service: string, warn: (text: string) => void): Warnings {
  let last: string | undefined;
  return {
    report(text) {
      if (text === last) return;
      last = text;
      warn(`${service}: ${text}`);
    },
    clear() {
      last = undefined;
    },
  };
}
