// Byte sizes in the format of Mesos' flags: `10MB`, `2GB`.
import { err, ok, type Result } from './result.js';
import { quoted } from './texts.js';

const UNITS: readonly (readonly [name: string, bytes: number])[] = [
  ['B', 1],
  ['KB', 2 ** 10],
  ['MB', 2 ** 20],
  ['GB', 2 ** 30],
  ['TB', 2 ** 40],
];

/** Parses `10MB` or `512B` to bytes; units are powers of 1024. */
export function parseByteSize(text: string): Result<number, string> {
  const match = /^(\d+)([a-z]+)$/i.exec(text.trim());
  const unit = UNITS.find(([name]) => name === match?.[2]?.toUpperCase());
  if (!match || !unit) {
    return err(`expected a size such as 10MB (units ${UNITS.map(([name]) => name).join(' ')}), got ${quoted(text)}`);
  }
  return ok(Number(match[1]) * unit[1]);
}

/** Formats bytes with the largest unit that gives a whole number: 2097152 is `2MB`. */
export function formatByteSize(bytes: number): string {
  for (const [name, unit] of [...UNITS].reverse()) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${name}`;
  }
  return `${bytes}B`;
}
