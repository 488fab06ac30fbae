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

/** A code block that names a file quotes it: each run of its lines between `...` is in the file, whatever the indentation. */
const QUOTE = /^ *```\w+ (\S+\/\S+)\n([\s\S]*?)^ *```$/gm;

export function checkQuotes({ path, text }: Source, read: (path: string) => string | undefined): Violation[] {
  return [...text.matchAll(QUOTE)].flatMap(([, file = '', quoted = '']) => {
    const content = withoutIndentation(read(file) ?? '');
    return withoutIndentation(quoted)
      .split('\n...\n')
      .map((run) => run.trim())
      .filter((run) => !content.includes(run))
      .map((run) => ({ path, rule: 'documents', detail: `not in ${file}: ${run}` }));
  });
}

/** A step of an exercise says next to which line its code goes, in the file that it or an earlier step names. */
const STEP = /(?:In `([^`]+)`,\s+)?\b(?:after|before)\s+the\s+line\s+`(.+?)`:\n/g;

/** The line of each step is in its file, once. */
export function checkSteps({ path, text }: Source, read: (path: string) => string | undefined): Violation[] {
  let file = '';
  return [...text.matchAll(STEP)].flatMap(([, named, line = '']) => {
    file = named ?? file;
    const lines = (read(file) ?? '').split('\n').filter((it) => it.trim() === line);
    if (lines.length === 1) return [];
    return [{ path, rule: 'documents', detail: `${lines.length} times in ${file}, expected once: ${line}` }];
  });
}

const withoutIndentation = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
