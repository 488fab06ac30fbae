// The rules of docs/architecture.md ("Packages", "Cores and shells") as pure functions from sources to violations: allowed
// imports, length of files, what the cores must not use, unused files, import cycles. An *area* is a package, or a folder of
// one that has import rules of its own (`master/core`). Function length is checked by the linter
// (noExcessiveLinesPerFunction).

export interface Source {
  /** From the checkout's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Violation {
  readonly path: string;
  readonly rule: string;
  readonly detail: string;
}

const MAX_FILE_LINES = 500;

/** The packages that each area may import, as the table in docs/architecture.md says. Tests may import anything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  api: ['base', 'wire'],
  security: ['base', 'wire', 'api'],
  resources: ['base', 'wire'],
  allocator: ['base', 'wire', 'resources'],
  'master/core': ['base', 'wire', 'resources', 'allocator', 'api'],
  'master/registry': ['base', 'wire', 'resources'],
  'master/views': ['base', 'wire', 'api', 'resources', 'allocator', 'security'],
  'master/shell': ['base', 'wire', 'api', 'resources', 'allocator', 'coordination', 'platform', 'security'],
  'agent/core': ['base', 'wire', 'api', 'resources', 'containers'],
  'agent/views': ['base', 'wire', 'api', 'resources', 'containers', 'security'],
  'agent/shell': ['base', 'wire', 'api', 'resources', 'containers', 'coordination', 'platform', 'security'],
  containers: ['base', 'wire', 'resources'],
  coordination: ['base'],
  platform: ['base', 'wire', 'api'],
  sdk: ['base', 'wire', 'api', 'coordination'],
  cli: ['base', 'sdk', 'master', 'agent', 'simulator', 'coordination', 'wire'],
  web: ['sdk'],
  services: ['sdk'],
  simulator: ['base', 'wire', 'resources', 'allocator', 'master', 'agent', 'containers', 'coordination', 'api'],
};

/** Folders whose code uses the language only: no I/O, no clock, no randomness. */
const CORES = [
  'packages/base/src/',
  'packages/resources/src/',
  'packages/allocator/src/',
  'packages/master/src/core/',
  'packages/master/src/registry/',
  'packages/agent/src/core/',
];

/** Interfaces to the operating system; shells and containers have the implementations. */
const PORTS = 'packages/base/src/ports.ts';

const BANNED_IN_CORES: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/\bDate\b(?!Info)/, 'a clock: take `now` as an argument'],
  [/\bperformance\b\./, 'a clock: take `now` as an argument'],
  [/\bMath\.random\b/, 'randomness: take a `Random` of base'],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'a timer: keep a deadline'],
  [/\b(?:Promise|async|await)\b/, 'a promise: return an effect'],
  [/\b(?:process|globalThis|require)\b\s*[.([]/, 'the process'],
  [/\b(?:crypto|fetch|WebSocket)\b\s*[.(]/, 'the operating system or network'],
  [/\b(?:WeakRef|WeakMap|WeakSet|FinalizationRegistry)\b/, 'weak references depend on the garbage collector'],
  [/\btoLocale\w*|\bIntl\b|\blocaleCompare\b/, 'depends on the locale'],
  [
    /\bMath\.(?:a?sinh?|a?cosh?|a?tanh?|atan2|cbrt|exp|expm1|hypot|log|log10|log1p|log2|pow)\b/,
    'transcendental Math differs between machines',
  ],
];

/** The text with comments and string contents replaced by spaces, so that prose is not matched. Line numbers stay. */
export function codeOnly(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|(^|[^:'"`\\])\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (match, before: string | undefined) => (before ?? '') + match.slice((before ?? '').length).replace(/[^\n]/g, ' '),
  );
}

export const isTest = (path: string): boolean => /(?:\.test|\/testing(?:\/[^/]+)?|\/fixtures\/[^/]+)\.ts$/.test(path);

/** All modules named by imports and exports of the file, type-only ones included. */
export function importsOf(text: string): readonly string[] {
  const found: string[] = [];
  for (const match of text.matchAll(
    /^\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\('([^']+)'\)/gm,
  )) {
    found.push((match[1] ?? match[2] ?? match[3]) as string);
  }
  return found;
}

/** Modules loaded with the file: neither type-only nor dynamic imports. */
const modulesLoadedWith = (text: string): readonly string[] =>
  [...text.matchAll(/^\s*(?:import|export)\s(?!type\s)[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'/gm)].map(
    (match) => (match[1] ?? match[2]) as string,
  );

/** `packages/master/src/core/machine.ts` is in `master/core`, `packages/wire/src/x.ts` in `wire`; elsewhere undefined. */
export function areaOf(path: string): string | undefined {
  const [, area, folder] = /^packages\/([^/]+)\/(?:src|codegen)\/(?:([^/]+)\/)?/.exec(path) ?? [];
  if (area === undefined) return undefined;
  return folder !== undefined && `${area}/${folder}` in MAY_IMPORT ? `${area}/${folder}` : area;
}

export function checkImports(source: Source): Violation[] {
  const area = areaOf(source.path);
  if (area === undefined || isTest(source.path)) return [];
  const allowed = MAY_IMPORT[area] ?? MAY_IMPORT[`${area}/shell`] ?? [];
  const self = area.split('/')[0];
  return importsOf(source.text).flatMap((specifier) => {
    const target = /^@meseta\/([^/]+)/.exec(specifier)?.[1];
    if (target === undefined || target === self || allowed.includes(target)) return [];
    return [{ path: source.path, rule: 'imports', detail: `${area} may not import ${target}` }];
  });
}

/**
 * In master and agent: core, registry and views do not import the shell, and the core does not import views. Outside a core,
 * nothing imports the context of its handlers: others see inputs, effects and the state.
 */
export function checkFoldersOfDaemons(source: Source): Violation[] {
  const area = areaOf(source.path);
  if (area === undefined || isTest(source.path)) return [];
  const isCore = area.endsWith('/core');
  const isBelowShell = /\/(?:core|registry|views)$/.test(area);
  return importsOf(source.text)
    .filter(
      (specifier) =>
        (isBelowShell && /\.\.\/shell\//.test(specifier)) ||
        (isCore && /\.\.\/views\//.test(specifier)) ||
        (!isCore && area !== 'base' && /\bcore\/context(?:\.js)?$/.test(specifier)),
    )
    .map((specifier) => ({ path: source.path, rule: 'imports', detail: `${area} may not import ${specifier}` }));
}

export function checkLength(source: Source): Violation[] {
  const lines = source.text.split('\n').length - 1;
  if (lines <= MAX_FILE_LINES) return [];
  return [{ path: source.path, rule: 'file length', detail: `${lines} lines, at most ${MAX_FILE_LINES}` }];
}

export function checkCore(source: Source): Violation[] {
  if (isTest(source.path) || source.path === PORTS || !CORES.some((core) => source.path.startsWith(core))) return [];
  const violation = (detail: string): Violation => ({ path: source.path, rule: 'cores', detail });
  const modules = importsOf(source.text).filter((specifier) => specifier.startsWith('node:'));
  const calls = codeOnly(source.text)
    .split('\n')
    .flatMap((line, index) =>
      BANNED_IN_CORES.filter(([pattern]) => pattern.test(line)).map(([pattern, why]) =>
        violation(`line ${index + 1}: ${pattern.exec(line)?.[0]} (${why})`),
      ),
    );
  return [...modules.map((specifier) => violation(`imports ${specifier}`)), ...calls];
}

/** Packages that process lists from outside, each of which may have a million entries. */
const OUTSIDE_DATA =
  /^packages\/(?:wire|api|resources|allocator|master|agent|containers|security|platform|coordination|sdk|cli)\//;

/** Text before an opening parenthesis that does not start a call. */
const NO_CALL = /\b(?:if|for|while|switch|return|catch|function)$/;

/** `push(...items)`, `Math.max(...values)`, `f(...list)`: V8 throws beyond some hundred thousand arguments. */
export function checkSpread(source: Source): Violation[] {
  if (!OUTSIDE_DATA.test(source.path) || isTest(source.path)) return [];
  const code = codeOnly(source.text);
  const violations: Violation[] = [];
  const report = (at: number): void => {
    const line = code.slice(0, at).split('\n').length;
    const detail = `line ${line}: spreads a list into arguments (pass the list, or use pushAll and smallest of base)`;
    violations.push({ path: source.path, rule: 'spread', detail });
  };
  const open: number[] = [];
  for (let i = 0; i < code.length; i++) {
    const character = code[i] as string;
    if ('([{'.includes(character)) open.push(i);
    else if (')]}'.includes(character)) open.pop();
    else if (code.startsWith('.apply(', i)) report(i);
    else if (code.startsWith('...', i)) {
      if (isArgument(code, open.at(-1), code.slice(i + 3, i + 80))) report(i);
      i += 2;
    }
  }
  return violations;
}

/** `at`: position of the bracket around the spread. The spread of a list literal has a fixed length and is allowed. */
function isArgument(code: string, at: number | undefined, behind: string): boolean {
  if (at === undefined || code[at] !== '(' || /^\s*\[/.test(behind)) return false;
  const isParameter = /^\s*[\w$]+\??\s*:/.test(behind) || /^\s*[\w$]+\s*\)\s*(?::|=>|\{)/.test(behind);
  const before = code.slice(0, at).trimEnd();
  return !isParameter && /[\w$\])>]$/.test(before) && !NO_CALL.test(before);
}

/** `/x+$/`, of one character, class or group. */
const UNBOUND_REPETITION = /\(\/(?:\\.|\[(?:\\.|[^\]\\])*\]|\([^()?][^()]*\)|[^\\/[(^])[+*]\$\/[a-z]*/;

/** A regular expression that ends in an unanchored repetition: a failed match takes time quadratic in the text's length. */
export function checkUnboundRepetition(source: Source): Violation[] {
  if (!OUTSIDE_DATA.test(source.path) || isTest(source.path)) return [];
  return source.text.split('\n').flatMap((line, index) => {
    const found = UNBOUND_REPETITION.exec(line)?.[0].slice(1);
    const detail = `line ${index + 1}: ${found} is quadratic in the text's length (use withoutTrailing of base)`;
    return found === undefined || /^\s*(?:\/\/|\*)/.test(line)
      ? []
      : [{ path: source.path, rule: 'repetition', detail }];
  });
}

/** Identifiers with `slave` outside `wire`. What users type and peers send is in string literals, which are not checked. */
export function checkAgentTerm(source: Source): Violation[] {
  if (!source.path.startsWith('packages/') || source.path.startsWith('packages/wire/')) return [];
  return codeOnly(source.text)
    .split('\n')
    .flatMap((line, index) => {
      const word = /\w*slave\w*/i.exec(line)?.[0];
      return word === undefined
        ? []
        : [{ path: source.path, rule: 'agent, not slave', detail: `line ${index + 1}: ${word}` }];
    });
}

/**
 * The agent uses files through the port `Files`, and files that a task can replace through directory handles
 * (packages/platform/src/directory-handles.ts). These files use node:fs, for paths that no task can change.
 */
const TOUCHES_TRUSTED_PATHS: ReadonlyMap<string, string> = new Map([
  ['packages/agent/src/shell/checkpoint.ts', 'work_dir/meta, which only root can write'],
  ['packages/agent/src/shell/detector.ts', 'the file named by --master, read at start'],
]);

/** Code that works in sandboxes does not import node:fs. */
export function checkFileAccess(source: Source): Violation[] {
  if (!/^packages\/(?:agent|containers)\//.test(source.path) || isTest(source.path)) return [];
  if (TOUCHES_TRUSTED_PATHS.has(source.path)) return [];
  return importsOf(source.text)
    .filter((specifier) => /^(?:node:)?fs(?:\/|$)/.test(specifier))
    .map((specifier) => ({
      path: source.path,
      rule: 'files of tasks',
      detail: `imports ${specifier}: use the port Files, which does not follow links in directories that a task can write to`,
    }));
}

/** Exceptions to the rule above that no longer import node:fs. */
export const findUnneededExceptions = (sources: readonly Source[]): readonly string[] =>
  [...TOUCHES_TRUSTED_PATHS.keys()].filter(
    (path) =>
      !importsOf(sources.find((source) => source.path === path)?.text ?? '').some((it) => it.startsWith('node:fs')),
  );

/** Sources that no entry imports, directly or indirectly. Test support may be imported by tests only. */
export function findDead(sources: readonly Source[], entries: readonly string[]): Violation[] {
  const fromEntries = reach(sources, entries);
  const tests = sources.filter((source) => source.path.endsWith('.test.ts')).map((source) => source.path);
  const fromTests = reach(sources, tests);
  return sources
    .filter(({ path }) => !fromEntries.has(path) && !(isTest(path) && fromTests.has(path)))
    .map(({ path }) => ({ path, rule: 'dead file', detail: 'no entry imports it' }));
}

function reach(sources: readonly Source[], from: readonly string[]): ReadonlySet<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const open = [...from];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const source = byPath.get(path);
    if (source === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const specifier of importsOf(source.text)) open.push(resolveImport(path, specifier));
  }
  return reached;
}

/** The shortest import cycle, if there is one: files of a cycle cannot be read from the bottom up. */
export function findImportCycle(sources: readonly Source[]): Violation[] {
  const loads = new Map(
    sources.map(({ path, text }) => [path, modulesLoadedWith(text).map((specifier) => resolveImport(path, specifier))]),
  );
  let shortest: readonly string[] | undefined;
  for (const path of loads.keys()) {
    const cycle = cycleThrough(path, loads);
    if (cycle !== undefined && (shortest === undefined || cycle.length < shortest.length)) shortest = cycle;
  }
  const [path] = shortest ?? [];
  if (shortest === undefined || path === undefined) return [];
  return [{ path, rule: 'import cycle', detail: [...shortest.slice(1), path].join(' -> ') }];
}

/** The shortest path of imports from a file back to itself, breadth first. */
function cycleThrough(start: string, loads: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const cameFrom = new Map<string, string>();
  const open = [start];
  for (const path of open) {
    for (const next of loads.get(path) ?? []) {
      if (next === start) return pathTo(path, cameFrom);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, path);
      open.push(next);
    }
  }
  return undefined;
}

function pathTo(end: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const found = [end];
  for (let at = cameFrom.get(end); at !== undefined; at = cameFrom.get(at)) found.unshift(at);
  return found;
}

function resolveImport(from: string, specifier: string): string {
  const [, area, deep] = /^@meseta\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (area !== undefined) return `packages/${area}/src/${deep ?? 'index'}.ts`;
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/').replace(/\.js$/, '.ts');
}
