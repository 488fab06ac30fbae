// Survivors that were looked at and stay: mutants that change nothing that anybody can see. Each needs a reason.
import { readFileSync } from 'node:fs';

const entries = JSON.parse(readFileSync(new URL('./accepted.json', import.meta.url), 'utf8'));

/**
 * Why a mutant may survive, or undefined. An entry names the file, the line's text (trimmed) and the reason; a mutator
 * or a replacement narrow it down to some mutants of the line.
 */
export function acceptedReason({ file, code, mutator, replacement }) {
  return entries.find(
    (entry) =>
      entry.file === file &&
      entry.code === code &&
      (entry.mutator === undefined || entry.mutator === mutator) &&
      (entry.replacement === undefined || entry.replacement === replacement),
  )?.reason;
}
