// Documents stay true to the files: relative links and paths of the repository that a document names exist.
import { posix } from 'node:path';
import type { Source, Violation } from './rules.js';

const LINK = /\]\(([^)#\s]+)(?:#[^)]*)?\)/g;
/** A path in backticks. Names with a placeholder (`FILE.ts`, `*`) are examples. */
const PATH = /`((?:packages|scripts|bench|docs|examples)\/[^`\s]+)`/g;
const HAS_PLACEHOLDER = /[*{<]|\b[A-Z]{2,}\b(?!\.md)/;
/** Written by commands and not kept in the repository. */
const IS_OUTPUT = /^bench\/results\/local\/|\/generated\b/;

export function checkDocument({ path, text }: Source, exists: (path: string) => boolean): Violation[] {
  const violation = (detail: string): Violation => ({ path, rule: 'documents', detail });
  const links = [...text.matchAll(LINK)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target) && !exists(posix.join(posix.dirname(path), target)));
  const paths = [...text.matchAll(PATH)]
    .map(([, named = '']) => named.replace(/[,.:]$/, ''))
    .filter((named) => !HAS_PLACEHOLDER.test(named) && !IS_OUTPUT.test(named) && !exists(named));
  return [
    ...links.map((it) => violation(`broken link: ${it}`)),
    ...paths.map((it) => violation(`no such file: ${it}`)),
  ];
}
