// Replaces node:test while mutants run: collects the tests of a file, so that a single test can be run any number of times
// in this process.

/** Returns `{ api, files }`: `api` replaces node:test in a test file; `begin(file)` names the file of the tests that follow. */
export function createTestCollector() {
  const files = new Map();
  let current;
  let group = [];

  const test = (name, ...rest) => {
    const options = typeof rest[0] === 'object' ? rest[0] : {};
    const run = rest.find((it) => typeof it === 'function');
    const title = [...group, name ?? run?.name].join(' > ');
    if (run === undefined || options.skip || options.todo) return;
    const taken = current.tests.filter((it) => it.title === title || it.title.startsWith(`${title} #`)).length;
    current.tests.push({ title: taken === 0 ? title : `${title} #${taken + 1}`, run });
  };
  const describe = (name, ...rest) => {
    const outer = group;
    group = [...outer, name];
    try {
      rest.find((it) => typeof it === 'function')();
    } finally {
      group = outer;
    }
  };
  const hook = (kind) => (run) => current.hooks[kind].push(run);
  const api = Object.assign(test, {
    test,
    it: test,
    describe,
    suite: describe,
    before: hook('before'),
    after: hook('after'),
    beforeEach: hook('beforeEach'),
    afterEach: hook('afterEach'),
    default: test,
  });
  Object.defineProperty(api, '__esModule', { value: true });
  const begin = (file) => {
    current = { tests: [], hooks: { before: [], after: [], beforeEach: [], afterEach: [] } };
    files.set(file, current);
  };
  return { api, begin, files };
}

/** The context that a test function receives. Cleanups run in reverse order when the test has ended. */
export function createTestContext(title) {
  const cleanups = [];
  return {
    context: {
      name: title,
      after: (run) => cleanups.unshift(run),
      skip: () => {},
      diagnostic: () => {},
      signal: new AbortController().signal,
    },
    cleanUp: async () => {
      for (const run of cleanups) await run();
    },
  };
}
