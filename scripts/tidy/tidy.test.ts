// Each rule is tested on small examples, then applied to the whole checkout.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkDocument, checkQuotes, checkSteps } from './documents.js';
import { checkCitations, checkInvariants } from './invariants.js';
import {
  areaOf,
  checkAgentTerm,
  checkCore,
  checkFileAccess,
  checkFoldersOfDaemons,
  checkImports,
  checkLength,
  checkSpread,
  checkUnboundRepetition,
  codeOnly,
  findDead,
  findImportCycle,
  findUnneededExceptions,
  importsOf,
  type Source,
  type Violation,
} from './rules.js';

const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' }).split('\n');
/** Files that are deleted in the working tree but not yet in the index are left out. */
const sourcesMatching = (pattern: RegExp): Source[] =>
  tracked
    .filter((path) => pattern.test(path) && existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
const sources = sourcesMatching(/^(?:packages|bench|examples|scripts)\/.*\.ts$/);

/** Entry points: the commands, published modules, modules that scripts run. */
const ENTRIES = sources
  .map((source) => source.path)
  .filter((path) =>
    /^packages\/cli\/src\/(?:main|commands\/[^/]+)\.ts$|^packages\/sdk\/src\/index\.ts$|^packages\/wire\/codegen\/main\.ts$|^packages\/simulator\/src\/run\/first-failure\.ts$|^(?:bench|examples|scripts)\//.test(
      path,
    ),
  );

const none = (violations: readonly Violation[]): void =>
  assert.deepEqual(
    violations.map((v) => `${v.path}: ${v.rule}: ${v.detail}`),
    [],
  );

test('an area imports only what docs/architecture.md allows', () => {
  const bad = { path: 'packages/allocator/src/x.ts', text: "import { a } from '@meseta/platform';\n" };
  assert.equal(checkImports(bad).length, 1);
  assert.equal(checkImports({ ...bad, path: 'packages/master/src/core/x.ts' }).length, 1);
  assert.equal(checkImports({ ...bad, path: 'packages/master/src/shell/x.ts' }).length, 0);
  assert.equal(
    checkFoldersOfDaemons({ path: 'packages/agent/src/core/x.ts', text: "import '../shell/main.js';\n" }).length,
    1,
  );
  const withContext = "import type { Context } from '../core/context.js';\n";
  assert.equal(checkFoldersOfDaemons({ path: 'packages/agent/src/views/x.ts', text: withContext }).length, 1);
  assert.equal(checkFoldersOfDaemons({ path: 'packages/agent/src/core/x.ts', text: withContext }).length, 0);
  none(sources.flatMap((source) => [...checkImports(source), ...checkFoldersOfDaemons(source)]));
});

test('an invariant is defined once, under the name of its module, and every citation resolves', () => {
  const offers = { path: 'a.ts', text: '// OFFERS-1: one.\n// OFFERS-2 (drf): two.\n' };
  const found = (...texts: string[]): string[] =>
    checkInvariants([offers, ...texts.map((text) => ({ path: 'b.ts', text }))]).map(({ detail }) => detail);
  assert.deepEqual(found("test('OFFERS-1, OFFERS-2: both', () => {});"), []);
  assert.deepEqual(found('// OFFERS-2: again.'), ['OFFERS-2 is defined in a.ts already']);
  assert.deepEqual(found('/** OFFERS-3. */'), ['OFFERS-3 is cited, and defined nowhere']);
  assert.deepEqual(found('// O1: short.'), ['// O1: expected a name such as OFFERS-1']);
  none(checkInvariants(sources));
});

test('each invariant is cited in the title of a test', () => {
  const offers = { path: 'a.ts', text: '// OFFERS-1: one.\n// OFFERS-2: two.\n// OFFERS-3: three.\n' };
  const tests = { path: 'a.test.ts', text: "// OFFERS-2\ntest('OFFERS-1: one', () => {});\n" };
  const story = { path: 'a.txt', text: '# OFFERS-3: a story.\n> OFFERS-2\n' };
  const found = checkCitations([offers, tests], [story]).map(({ detail }) => detail);
  assert.deepEqual(found, ['OFFERS-2 is cited by no test']);
  none(checkCitations(sources, sourcesMatching(/\/(?:testdata|scenarios)\/.*\.txt$/)));
});

test('no list from outside is spread into arguments', () => {
  const found = (line: string): number => checkSpread({ path: 'packages/wire/src/x.ts', text: `${line}\n` }).length;
  const calls = [
    'list.push(...items)',
    'Math.max(0, ...values)',
    'f(a, ...g(b))',
    'new Map<A, B>(...c)',
    'at()(...d)',
    'f.apply(null, d)',
  ];
  const others = [
    'const a = [...b, ...c]',
    'f([...b])',
    'f({ ...b })',
    'f(...[1, 2])',
    'const f = (...args: string[]): void => {}',
    'function f(...args: string[]) {}',
    'f(...args) => 1',
    "f('(...x)')",
    '// f(...x)',
  ];
  assert.deepEqual(calls.map(found), [1, 1, 1, 1, 1, 1]);
  assert.deepEqual(
    others.filter((line) => found(line) > 0),
    [],
  );
  assert.equal(checkSpread({ path: 'packages/simulator/src/x.ts', text: 'f(...x)\n' }).length, 0);
  none(sources.flatMap(checkSpread));
});

test('no regular expression is quadratic in the length of text from outside', () => {
  const found = (text: string): number => checkUnboundRepetition({ path: 'packages/wire/src/x.ts', text }).length;
  for (const text of ['f(/\\/+$/)', 'f(/ *$/, 1)', 'f(/[^a]+$/u)', 'f(/(?:x)/, /y/) + g(/(\\r?\\n)+$/)'])
    assert.equal(found(text), 1, text);
  for (const text of ['f(/^\\/+$/)', 'f(/:\\d*$/)', 'f(/a$/)', 'f(/a+/)', '// f(/a+$/)'])
    assert.equal(found(text), 0, text);
  none(sources.flatMap(checkUnboundRepetition));
});

test('no file is longer than 500 lines', () => {
  assert.equal(checkLength({ path: 'x.ts', text: '\n'.repeat(501) }).length, 1);
  none(sources.flatMap(checkLength));
});

test('the cores use no clock, randomness, timer, promise, process or I/O', () => {
  const core = (text: string): number => checkCore({ path: 'packages/allocator/src/x.ts', text }).length;
  for (const text of [
    'Date.now()',
    'Math.random()',
    'setTimeout(f)',
    'await f()',
    "import fs from 'node:fs';",
    'a.localeCompare(b)',
    'Math.log(2)',
    'process.env',
  ]) {
    assert.equal(core(text), 1, text);
  }
  assert.equal(core('// await the Date of Math.random()'), 0);
  assert.equal(core('const updated = Math.floor(2)'), 0);
  none(sources.flatMap(checkCore));
});

test('agent and containers use files through the port Files only', () => {
  const count = (path: string, text: string): number => checkFileAccess({ path, text }).length;
  for (const text of [
    "import { open } from 'node:fs/promises';",
    "import * as fs from 'node:fs';",
    "import fs from 'fs';",
    "const { open } = await import('node:fs');",
  ]) {
    assert.equal(count('packages/agent/src/shell/x.ts', text), 1, text);
    assert.equal(count('packages/containers/src/x.ts', text), 1, text);
    assert.equal(count('packages/master/src/shell/x.ts', text), 0, text);
    assert.equal(count('packages/agent/src/shell/x.test.ts', text), 0, text);
  }
  assert.equal(count('packages/agent/src/shell/x.ts', "import type { Files } from '@meseta/base';"), 0);
  none(sources.flatMap(checkFileAccess));
  assert.deepEqual(findUnneededExceptions(sources), []);
});

test('identifiers say agent, not slave', () => {
  assert.equal(checkAgentTerm({ path: 'packages/agent/src/x.ts', text: 'const slaveId = 1;' }).length, 1);
  assert.equal(checkAgentTerm({ path: 'packages/agent/src/x.ts', text: "route('/slave(1)/state');" }).length, 0);
  none(sources.flatMap(checkAgentTerm));
});

test('every source file is used', () => {
  const files = [
    { path: 'packages/cli/src/main.ts', text: "import { x } from './used.js';\n" },
    { path: 'packages/cli/src/used.ts', text: '' },
    { path: 'packages/cli/src/dead.ts', text: '' },
  ];
  assert.deepEqual(
    findDead(files, ['packages/cli/src/main.ts']).map((v) => v.path),
    ['packages/cli/src/dead.ts'],
  );
  none(findDead(sources, ENTRIES));
});

test('there is no import cycle', () => {
  const file = (name: string, text: string): Source => ({ path: `packages/base/src/${name}.ts`, text });
  const files = [
    file('a', "import { b } from './b.js';\n"),
    file('b', "import type { A } from './a.js';\nimport { c } from './c.js';\nconst lazy = import('./a.js');\n"),
    file('c', "export * from './d.js';\n"),
    file('d', "import './c.js';\nimport {\n  a,\n} from './a.js';\n"),
  ];
  assert.deepEqual(
    findImportCycle(files).map(({ path, detail }) => `${path}: ${detail}`),
    ['packages/base/src/c.ts: packages/base/src/d.ts -> packages/base/src/c.ts'],
  );
  assert.equal(findImportCycle(files.slice(0, 3)).length, 0);
  none(findImportCycle(sources));
});

test('links and paths in documents exist', () => {
  const found = (text: string): string[] =>
    checkDocument({ path: 'docs/x.md', text }, (path) => path === 'docs/y.md' || path === 'scripts/y.mjs').map(
      ({ detail }) => detail,
    );
  assert.deepEqual(found('[y](y.md#part) [site](https://example.com) `scripts/y.mjs`, `packages/NAME/src`'), []);
  assert.deepEqual(found('[z](../z.md) `scripts/z.mjs`'), ['broken link: ../z.md', 'no such file: scripts/z.mjs']);
  none(sourcesMatching(/\.md$/).flatMap((document) => checkDocument(document, existsSync)));
});

test('code that a document quotes is in the file', () => {
  const found = (quoted: string): string[] =>
    checkQuotes({ path: 'docs/x.md', text: `1. Step:\n\n   \`\`\`ts a/y.ts\n${quoted}\n   \`\`\`\n` }, (path) =>
      path === 'a/y.ts' ? 'f(\n  a,\n  b,\n);\ng();\n' : undefined,
    ).map(({ detail }) => detail);
  assert.deepEqual(found('   a,\n   b,\n   ...\n   g();'), []);
  assert.deepEqual(found('   a,\n   g();'), ['not in a/y.ts: a,\ng();']);
  const read = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  none(sourcesMatching(/\.md$/).flatMap((document) => checkQuotes(document, read)));
});

test('the line that a step of an exercise names is in its file, once', () => {
  const found = (step: string): string[] =>
    checkSteps({ path: 'docs/x.md', text: step }, (path) =>
      path === 'a.ts' ? '  f();\n  g();\n  g();\n' : undefined,
    ).map(({ detail }) => detail);
  assert.deepEqual(found('In `a.ts`, after the line `f();`:\n'), []);
  assert.deepEqual(found('In `a.ts`, after the line `f();`:\n and before the\n line `h();`:\n'), [
    '0 times in a.ts, expected once: h();',
  ]);
  assert.deepEqual(found('In `a.ts`, after the line `g();`:\n'), ['2 times in a.ts, expected once: g();']);
  const read = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  none(sourcesMatching(/\.md$/).flatMap((document) => checkSteps(document, read)));
});

test('imports are found, comments and strings are not code, and an area is known by its path', () => {
  assert.deepEqual(
    importsOf("import type { A } from './a.js';\nexport * from './b.js';\nconst c = await import('./c.js');\n"),
    ['./a.js', './b.js', './c.js'],
  );
  assert.equal(codeOnly("a('x await'); // await\nb").replace(/ +/g, ' '), 'a( ); \nb');
  assert.equal(areaOf('packages/master/src/core/machine.ts'), 'master/core');
  assert.equal(areaOf('packages/wire/src/index.ts'), 'wire');
  assert.equal(areaOf('README.md'), undefined);
});
