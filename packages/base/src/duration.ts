// Durations in the format of Mesos' flags: `15secs`, `1.5mins`.
import { err, ok, type Result } from './result.js';
import { quoted } from './texts.js';

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['ns', 1e-6],
  ['us', 1e-3],
  ['ms', 1],
  ['secs', 1_000],
  ['mins', 60_000],
  ['hrs', 3_600_000],
  ['days', 86_400_000],
  ['weeks', 604_800_000],
];

/** Parses `15secs`, `1.5mins` or `2weeks` to milliseconds; units: ns us ms secs mins hrs days weeks. */
export function parseDuration(text: string): Result<number, string> {
  const match = /^(-?\d+(?:\.\d+)?)([a-z]+)$/.exec(text.trim());
  const unit = UNITS.find(([name]) => name === match?.[2]);
  if (!match || !unit) {
    return err(
      `expected a duration such as 15secs or 2mins (units ${UNITS.map(([name]) => name).join(' ')}), got ${quoted(text)}`,
    );
  }
  return ok(Number(match[1]) * unit[1]);
}

/** Formats milliseconds with the largest unit that gives a whole number, as Mesos does: 60000 is `1mins`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0ns';
  for (const [name, unit] of [...UNITS].reverse()) {
    const count = ms / unit;
    if (Math.abs(count) >= 1 && Number.isInteger(count)) return `${count}${name}`;
  }
  return `${Math.round(ms * 1e6)}ns`;
}
