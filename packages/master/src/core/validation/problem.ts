// What every check answers: undefined, or a sentence that names the field and says what was expected.
export type Problem = string | undefined;

/** The first problem of several checks; later ones aren't made. */
export function firstOf(...checks: readonly (() => Problem)[]): Problem {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const MAX_ID_LENGTH = 255;

/** 1 to 255 characters, no control character, slash or backslash, not `.` or `..`: ids become directory names. */
export function checkId(field: string, id: string): Problem {
  if (id.length === 0) return `${field}: expected an id, got an empty string`;
  if (id.length > MAX_ID_LENGTH) return `${field}: expected at most ${MAX_ID_LENGTH} characters, got ${id.length}`;
  if (id === '.' || id === '..') return `${field}: '${id}' is not allowed`;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    if (code < 32 || code === 127 || code === 47 || code === 92) {
      return `${field}: ${JSON.stringify(id)} contains a control character, '/' or '\\'`;
    }
  }
  return undefined;
}
