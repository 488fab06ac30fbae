// Survivors that were looked at and stay: mutants that change nothing that a test should see. Each has a reason.
import { readFileSync } from 'node:fs';

const entries = JSON.parse(readFileSync(new URL('./accepted.json', import.meta.url), 'utf8'));

/** Whole kinds of mutants that stay. */
export const ACCEPTED_KINDS = [
  {
    reason: 'the text of a log, which people read',
    isIt: ({ mutator, code }) => mutator === 'StringLiteral' && /\blog\(/.test(code),
  },
  {
    reason: 'the text of a broken invariant, which ends the process',
    isIt: ({ mutator, code }) => mutator === 'StringLiteral' && /\b(?:assert|present)\(/.test(code),
  },
];

/**
 * Why a mutant may survive, or undefined. An entry of accepted.json names the file, the line's text (trimmed) and the
 * reason; a mutator or a replacement narrow it down to some mutants of the line.
 */
export function acceptedReason(mutant) {
  const { file, code, mutator, replacement } = mutant;
  const entry = entries.find(
    (it) =>
      it.file === file &&
      it.code === code &&
      (it.mutator === undefined || it.mutator === mutator) &&
      (it.replacement === undefined || it.replacement === replacement),
  );
  return entry?.reason ?? ACCEPTED_KINDS.find(({ isIt }) => isIt(mutant))?.reason;
}
