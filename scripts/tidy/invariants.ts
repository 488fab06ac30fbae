// Numbered invariants: `// OFFERS-2: ...` at the top of a stateful module defines one, code and test titles cite it.
// The first line of a story (testdata/*.txt) is the title of its test.
import type { Source, Violation } from './rules.js';

const DEFINITION = /^\/\/ ([A-Z][A-Z-]*)-(\d+)(?: \([^)]*\))?:/gm;
/** Ids of the first style were one or two letters and a digit, and meant another thing in each file. */
const SHORT_DEFINITION = /^\/\/ [A-Z]{1,2}\d+(?: \([^)]*\))?:/gm;

/** Each invariant is defined once in the repository, under a name that says its module, and every citation resolves. */
export function checkInvariants(sources: readonly Source[]): Violation[] {
  const violations: Violation[] = [];
  const report = (path: string, detail: string): void => {
    violations.push({ path, rule: 'invariants', detail });
  };
  const definedIn = new Map<string, string>();
  const modules = new Set<string>();
  for (const { path, text } of sources) {
    for (const [short] of text.matchAll(SHORT_DEFINITION)) report(path, `${short} expected a name such as OFFERS-1`);
    for (const [, module = '', number] of text.matchAll(DEFINITION)) {
      const id = `${module}-${number}`;
      const first = definedIn.get(id);
      if (first !== undefined) report(path, `${id} is defined in ${first} already`);
      definedIn.set(id, path);
      modules.add(module);
    }
  }
  for (const { path, text } of sources) {
    for (const [id, module = ''] of text.matchAll(/(?<![\w-])([A-Z][A-Z-]*)-\d+\b/g)) {
      if (modules.has(module) && !definedIn.has(id)) report(path, `${id} is cited, and defined nowhere`);
    }
  }
  return violations;
}

/** Test files, and suites of tests that several test files run. */
const HAS_TESTS = /(?:\.test|-suite)\.ts$/;
const STRING = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;

/** Each invariant is cited in the title of a test, so that searching for the rule finds the test that protects it. */
export function checkCitations(sources: readonly Source[], stories: readonly Source[]): Violation[] {
  const titles = [
    ...sources.filter(({ path }) => HAS_TESTS.test(path)).flatMap(({ text }) => text.match(STRING) ?? []),
    ...stories.map(({ text }) => text.slice(0, text.indexOf('\n'))),
  ];
  const cited = new Set(titles.flatMap((title) => title.match(/(?<![\w-])[A-Z][A-Z-]*-\d+\b/g) ?? []));
  return sources
    .filter(({ path }) => !HAS_TESTS.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(DEFINITION)]
        .map(([, module, number]) => `${module}-${number}`)
        .filter((id) => !cited.has(id))
        .map((id) => ({ path, rule: 'invariants', detail: `${id} is cited by no test` })),
    );
}
