// The rules of docs/architecture.md ("Rooms", "Cores and shells") as functions over sources: which room
// may import which, how long a file may be, what the cores must not call, which files nobody uses, which load
// each other.
// Function length is the linter's (noExcessiveLinesPerFunction).

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

/** What each room may import of the others, as the table in docs/architecture.md says. Tests may import anything. */
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
  sdk: ['base', 'wire', 'api'],
  cli: ['base', 'sdk', 'master', 'agent', 'simulator'],
  web: ['sdk'],
  services: ['sdk'],
  simulator: ['base', 'wire', 'resources', 'allocator', 'master', 'agent', 'containers', 'coordination', 'api'],
};

/** Rooms and folders where only the language itself exists: no machine, no clock, no chance. */
const CORES = [
  'packages/base/src/',
  'packages/resources/src/',
  'packages/allocator/src/',
  'packages/master/src/core/',
  'packages/master/src/registry/',
  'packages/agent/src/core/',
];

/** Interfaces of what the machine does; only shells and containers hold implementations. */
const PORTS = 'packages/base/src/ports.ts';

const BANNED_IN_CORES: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/\bDate\b(?!Info)/, 'a clock: take `now` as an argument'],
  [/\bperformance\b\./, 'a clock: take `now` as an argument'],
  [/\bMath\.random\b/, 'chance: take a `Random` of base'],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'a timer: keep a deadline'],
  [/\b(?:Promise|async|await)\b/, 'a promise: answer with an effect'],
  [/\b(?:process|globalThis|require)\b\s*[.([]/, 'the process'],
  [/\b(?:crypto|fetch|WebSocket)\b\s*[.(]/, 'the machine'],
  [/\b(?:WeakRef|WeakMap|WeakSet|FinalizationRegistry)\b/, 'weak references depend on the collector'],
  [/\btoLocale\w*|\bIntl\b|\blocaleCompare\b/, 'the locale'],
  [
    /\bMath\.(?:a?sinh?|a?cosh?|a?tanh?|atan2|cbrt|exp|expm1|hypot|log|log10|log1p|log2|pow)\b/,
    'transcendental Math differs between machines',
  ],
];

/** The text with comments and the insides of strings blanked, so that words in prose don't count; lines stay. */
export function codeOnly(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|(^|[^:'"`\\])\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (match, before: string | undefined) => (before ?? '') + match.slice((before ?? '').length).replace(/[^\n]/g, ' '),
  );
}

export const isTest = (path: string): boolean => /(?:\.test|\/testing(?:\/[^/]+)?|\/fixtures\/[^/]+)\.ts$/.test(path);

/** Every module named by an import or export of the file, types included. */
export function importsOf(text: string): readonly string[] {
  const found: string[] = [];
  for (const match of text.matchAll(
    /^\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\('([^']+)'\)/gm,
  )) {
    found.push((match[1] ?? match[2] ?? match[3]) as string);
  }
  return found;
}

/** Modules that are loaded with the file: neither types nor what it imports when it needs it. */
const loadedWith = (text: string): readonly string[] =>
  [...text.matchAll(/^\s*(?:import|export)\s(?!type\s)[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'/gm)].map(
    (match) => (match[1] ?? match[2]) as string,
  );

/** `packages/master/src/core/machine.ts` is in `master/core`, `packages/wire/src/x.ts` in `wire`; elsewhere undefined. */
export function roomOf(path: string): string | undefined {
  const [, room, folder] = /^packages\/([^/]+)\/(?:src|codegen)\/(?:([^/]+)\/)?/.exec(path) ?? [];
  if (room === undefined) return undefined;
  return folder !== undefined && `${room}/${folder}` in MAY_IMPORT ? `${room}/${folder}` : room;
}

export function checkImports(source: Source): Violation[] {
  const room = roomOf(source.path);
  if (room === undefined || isTest(source.path)) return [];
  const allowed = MAY_IMPORT[room] ?? MAY_IMPORT[`${room}/shell`] ?? [];
  const self = room.split('/')[0];
  return importsOf(source.text).flatMap((specifier) => {
    const target = /^@meseta\/([^/]+)/.exec(specifier)?.[1];
    if (target === undefined || target === self || allowed.includes(target)) return [];
    return [{ path: source.path, rule: 'imports', detail: `${room} may not import ${target}` }];
  });
}

/** Inside the master and the agent: a core, its registry and its views know nothing of the shell. */
export function checkInside(source: Source): Violation[] {
  const room = roomOf(source.path);
  if (room === undefined || isTest(source.path) || !/\/(?:core|registry|views)$/.test(room)) return [];
  return importsOf(source.text)
    .filter(
      (specifier) => /\.\.\/shell\//.test(specifier) || (room.endsWith('/core') && /\.\.\/views\//.test(specifier)),
    )
    .map((specifier) => ({ path: source.path, rule: 'imports', detail: `${room} may not import ${specifier}` }));
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

/** Rooms in which lists come from outside: any of them may hold a million entries. */
const OUTSIDE_DATA =
  /^packages\/(?:wire|api|resources|allocator|master|agent|containers|security|platform|coordination|sdk)\//;

/** What stands before an opening parenthesis that is no call's. */
const NO_CALL = /\b(?:if|for|while|switch|return|catch|function)$/;

/** `push(...items)`, `Math.max(...values)`, `f(...list)`: beyond some hundred thousand arguments V8 throws. */
export function checkSpread(source: Source): Violation[] {
  if (!OUTSIDE_DATA.test(source.path) || isTest(source.path)) return [];
  const code = codeOnly(source.text);
  const violations: Violation[] = [];
  const report = (at: number): void => {
    const line = code.slice(0, at).split('\n').length;
    const detail = `line ${line}: a list as arguments (take the list, or pushAll and smallest of base)`;
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

/** `at`: the bracket around the spread; a list literal behind the dots is as long as it is written. */
function isArgument(code: string, at: number | undefined, behind: string): boolean {
  if (at === undefined || code[at] !== '(' || /^\s*\[/.test(behind)) return false;
  const isParameter = /^\s*[\w$]+\??\s*:/.test(behind) || /^\s*[\w$]+\s*\)\s*(?::|=>|\{)/.test(behind);
  const before = code.slice(0, at).trimEnd();
  return !isParameter && /[\w$\])>]$/.test(before) && !NO_CALL.test(before);
}

/** `/x+$/`, of one character, class or group. */
const UNBOUND_REPETITION = /\(\/(?:\\.|\[(?:\\.|[^\]\\])*\]|\([^()?][^()]*\)|[^\\/[(^])[+*]\$\/[a-z]*/;

/** A regular expression that tries a repetition from each of its characters: the square of their number where it fails. */
export function checkUnboundRepetition(source: Source): Violation[] {
  if (!OUTSIDE_DATA.test(source.path) || isTest(source.path)) return [];
  return source.text.split('\n').flatMap((line, index) => {
    const found = UNBOUND_REPETITION.exec(line)?.[0].slice(1);
    const detail = `line ${index + 1}: ${found} takes the square of a text's length (use withoutTrailing of base)`;
    return found === undefined || /^\s*(?:\/\/|\*)/.test(line)
      ? []
      : [{ path: source.path, rule: 'repetition', detail }];
  });
}

/** A code word with `slave` in it, outside the wire; what users type and peers send stands in strings. */
export function checkAgentWord(source: Source): Violation[] {
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
 * What the agent does with files goes through the ports, where a task may write through held directories
 * (packages/platform/src/held-directories.ts). These reach for Node's own, and only for paths that no task can change.
 */
const TOUCHES_TRUSTED_PATHS: ReadonlyMap<string, string> = new Map([
  ['packages/agent/src/shell/checkpoint.ts', "work_dir/meta, which is root's alone"],
  ['packages/agent/src/shell/detector.ts', 'the file that --master names, at the start'],
]);

/** In the rooms that work in sandboxes nobody opens a path by himself. */
export function checkFileAccess(source: Source): Violation[] {
  if (!/^packages\/(?:agent|containers)\//.test(source.path) || isTest(source.path)) return [];
  if (TOUCHES_TRUSTED_PATHS.has(source.path)) return [];
  return importsOf(source.text)
    .filter((specifier) => /^(?:node:)?fs(?:\/|$)/.test(specifier))
    .map((specifier) => ({
      path: source.path,
      rule: 'files of tasks',
      detail: `imports ${specifier}: use the port Files, which follows no link where a task may write`,
    }));
}

/** Files that the rule above names and that have no need of it any more. */
export const findNeedlessTrust = (sources: readonly Source[]): readonly string[] =>
  [...TOUCHES_TRUSTED_PATHS.keys()].filter(
    (path) =>
      !importsOf(sources.find((source) => source.path === path)?.text ?? '').some((it) => it.startsWith('node:fs')),
  );

/** Sources that no entry reaches through imports: nobody would miss them. What tests share may be reached from tests. */
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

/** Files that are loaded with each other can't be read from the bottom up. Of several rings the shortest is told. */
export function findRing(sources: readonly Source[]): Violation[] {
  const loads = new Map(
    sources.map(({ path, text }) => [path, loadedWith(text).map((specifier) => resolveImport(path, specifier))]),
  );
  let shortest: readonly string[] | undefined;
  for (const path of loads.keys()) {
    const ring = ringThrough(path, loads);
    if (ring !== undefined && (shortest === undefined || ring.length < shortest.length)) shortest = ring;
  }
  const [path] = shortest ?? [];
  if (shortest === undefined || path === undefined) return [];
  return [{ path, rule: 'ring of imports', detail: [...shortest.slice(1), path].join(' -> ') }];
}

/** The shortest way from a file back to itself, breadth first. */
function ringThrough(start: string, loads: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const cameFrom = new Map<string, string>();
  const open = [start];
  for (const path of open) {
    for (const next of loads.get(path) ?? []) {
      if (next === start) return wayTo(path, cameFrom);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, path);
      open.push(next);
    }
  }
  return undefined;
}

function wayTo(end: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const way = [end];
  for (let at = cameFrom.get(end); at !== undefined; at = cameFrom.get(at)) way.unshift(at);
  return way;
}

function resolveImport(from: string, specifier: string): string {
  const [, room, deep] = /^@meseta\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (room !== undefined) return `packages/${room}/src/${deep ?? 'index'}.ts`;
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/').replace(/\.js$/, '.ts');
}
