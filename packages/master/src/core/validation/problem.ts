// What every check answers: undefined, or a sentence that names the field and says what was expected.
import { overLimit } from '@meseta/base';

export type Problem = string | undefined;

/** The first problem of several checks; later ones aren't made. */
export function firstOf(...checks: readonly (() => Problem)[]): Problem {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The first problem of a list's items, of which there may be any number. */
export function firstAmong<T>(items: readonly T[], check: (item: T, index: number) => Problem): Problem {
  for (let i = 0; i < items.length; i++) {
    const problem = check(items[i] as T, i);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** 1 to 255 characters, no control character, slash or backslash, not `.` or `..`: ids become directory names. */
export function checkId(field: string, id: string): Problem {
  if (id.length === 0) return `${field}: expected an id, got an empty string`;
  const tooLong = overLimit('id', field, id.length);
  if (tooLong !== undefined) return tooLong;
  if (id === '.' || id === '..') return `${field}: '${id}' is not allowed`;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    if (code < 32 || code === 127 || code === 47 || code === 92) {
      return `${field}: ${JSON.stringify(id)} contains a control character, '/' or '\\'`;
    }
  }
  return undefined;
}
