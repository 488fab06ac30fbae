// The result of a check: undefined, or a sentence that names the field and what was expected.
export type Problem = string | undefined;

/** The first problem of several checks; the checks after it are not run. */
export function firstOf(...checks: readonly (() => Problem)[]): Problem {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The first problem of the items of a list of any length. */
export function firstAmong<T>(items: readonly T[], check: (item: T, index: number) => Problem): Problem {
  for (let i = 0; i < items.length; i++) {
    const problem = check(items[i] as T, i);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
