// Accepted survivors: mutants that change nothing that a test should check, each with a reason.
import { readFileSync } from 'node:fs';

const entries = JSON.parse(readFileSync(new URL('./accepted.json', import.meta.url), 'utf8'));

/** Kinds of mutants that are accepted without an entry for each. */
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
 * Why a mutant is accepted, or undefined. An entry of accepted.json has the file, the trimmed text of the line and the
 * reason; it may have a mutator or a replacement to select mutants of the line.
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
