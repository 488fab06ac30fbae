// Command-line flags in Mesos' format: `--name=value`, `--name` and `--no-name` for booleans, and
// `MESOS_NAME` in the environment, which the command line overrides. A value `file:///path` is replaced by the
// content of the file. Source: the "Configuration" page of Mesos' documentation, and its stout library.
import { err, formatByteSize, formatDuration, ok, parseByteSize, parseDuration, type Result } from '@meseta/base';

export interface FlagSpec<T> {
  readonly kind: 'value' | 'boolean';
  readonly aliases: readonly string[];
  /** In the format of the command line; undefined: the flag has no value unless given. */
  readonly default: string | undefined;
  /**
   * 'ignored': a flag of Mesos without effect; accepted with a warning. 'refused': a flag of Mesos that would be unsafe to
   * ignore; giving it is an error, and `help` says what to do instead.
   */
  readonly status: 'used' | 'ignored' | 'refused';
  readonly required: boolean;
  /** The value is a path: `file://...` is not replaced by the content of the file. */
  readonly path: boolean;
  readonly help: string;
  parse(text: string): Result<T, string>;
  /** The value as /flags shows it. `text` is the given text, or the content of the given file. */
  format(value: T, text: string): string;
}

export interface FlagOptions {
  readonly aliases?: readonly string[];
  readonly status?: FlagSpec<unknown>['status'];
  readonly required?: boolean;
  readonly path?: boolean;
  readonly help?: string;
}

type Parse<T> = (text: string) => Result<T, string>;
type Format<T> = (value: T, text: string) => string;

/** A flag with a value of type T. */
export function valueFlag<T>(
  parse: Parse<T>,
  format: Format<T>,
  options: FlagOptions & ({ readonly default: string } | { readonly required: true }),
): FlagSpec<T>;
export function valueFlag<T>(parse: Parse<T>, format: Format<T>, options?: FlagOptions): FlagSpec<T | undefined>;
export function valueFlag<T>(
  parse: Parse<T>,
  format: Format<T>,
  options: FlagOptions & { readonly default?: string } = {},
): FlagSpec<T> {
  return {
    kind: 'value',
    aliases: options.aliases ?? [],
    default: options.default,
    status: options.status ?? 'used',
    required: options.required ?? false,
    path: options.path ?? false,
    help: options.help ?? '',
    parse,
    format,
  };
}

export interface FlagMaker<T> {
  (options: FlagOptions & ({ readonly default: string } | { readonly required: true })): FlagSpec<T>;
  (options?: FlagOptions): FlagSpec<T | undefined>;
}

const maker =
  <T>(parse: Parse<T>, format: Format<T>, fixed: FlagOptions = {}): FlagMaker<T> =>
  (options: FlagOptions = {}) =>
    valueFlag(parse, format, { ...fixed, ...options }) as FlagSpec<T>;

const parseNumber: Parse<number> = (text) => {
  const value = Number(text);
  return /^\s*-?(\d+(?:\.\d*)?|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) && Number.isFinite(value)
    ? ok(value)
    : err(`expected a number, got ${JSON.stringify(text)}`);
};

/** One of the given values. */
export const oneOf =
  <T extends string>(...values: readonly T[]) =>
  (text: string): Result<T, string> => {
    const found = values.find((value) => value === text);
    return found === undefined ? err(`expected ${values.join(' or ')}, got ${JSON.stringify(text)}`) : ok(found);
  };

/** Names separated by commas. */
export const parseNames = (text: string): Result<readonly string[], string> =>
  ok(
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );

/** Shows the value as it was given. */
export const asGiven: Format<unknown> = (_, text) => text;

const nonEmpty =
  (what: string): Parse<string> =>
  (text) =>
    text === '' ? err(`expected ${what}, got nothing`) : ok(text);

const MAX_HOST_LENGTH = 255;

const parseHost: Parse<string> = (text) =>
  text.length <= MAX_HOST_LENGTH && /^[^\s\p{Cc}/\\?#@]+$/u.test(text)
    ? ok(text)
    : err(
        `expected a host name of 1 to ${MAX_HOST_LENGTH} characters without spaces and slashes, got ${JSON.stringify(text)}`,
      );

const between =
  (least: number, most: number): Parse<number> =>
  (text) => {
    const value = parseNumber(text);
    if (!value.ok || (Number.isInteger(value.value) && value.value >= least && value.value <= most)) return value;
    return err(`expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}`);
  };

export const textFlag: FlagMaker<string> = maker<string>(ok, asGiven);

function parseJsonText(text: string): Result<string, string> {
  try {
    JSON.parse(text);
    return ok(text);
  } catch (cause) {
    return err(`expected JSON: ${(cause as Error).message}`);
  }
}

/** A JSON text, which the caller decodes. */
export const jsonFlag: FlagMaker<string> = maker<string>(parseJsonText, asGiven);
/** A path; `file://` is not replaced by the content of the file. */
export const pathFlag: FlagMaker<string> = maker<string>(nonEmpty('a path'), asGiven, { path: true });
/** A host name or an address. */
export const hostFlag: FlagMaker<string> = maker<string>(parseHost, asGiven);
/** A URL, shown without its user name and password. */
export const urlFlag: FlagMaker<string> = maker<string>(ok, (text) =>
  text.replace(/^([a-z]+:\/\/).*@/is, '$1<hidden>@'),
);
/** A text with secrets, never shown. */
export const secretFlag: FlagMaker<string> = maker<string>(ok, () => '<hidden>');
export const numberFlag: FlagMaker<number> = maker(parseNumber, String);
/** A port; 0 for any free one. */
export const portFlag: FlagMaker<number> = maker(between(0, 65535), String);
export const countFlag: FlagMaker<number> = maker(between(0, 2 ** 31 - 1), String);
/** Milliseconds. */
export const durationFlag: FlagMaker<number> = maker(parseDuration, formatDuration);
/** Bytes. */
export const byteSizeFlag: FlagMaker<number> = maker(parseByteSize, formatByteSize);

const parseBoolean: Parse<boolean> = (text) => {
  if (text === 'true' || text === '1') return ok(true);
  if (text === 'false' || text === '0') return ok(false);
  return err(`expected a boolean (true, false, 1 or 0), got ${JSON.stringify(text)}`);
};

export function booleanFlag(options: FlagOptions & { readonly default: boolean }): FlagSpec<boolean>;
export function booleanFlag(options?: FlagOptions): FlagSpec<boolean | undefined>;
export function booleanFlag(options: FlagOptions & { readonly default?: boolean } = {}): FlagSpec<boolean> {
  const text = options.default === undefined ? {} : { default: String(options.default) };
  const { default: _, ...rest } = options;
  return { ...valueFlag(parseBoolean, String, { ...rest, ...text }), kind: 'boolean' } as FlagSpec<boolean>;
}

/** Flags by their main names, with underscores as in Mesos. */
// biome-ignore lint/suspicious/noExplicitAny: each spec has its own value type
export type FlagTable = Readonly<Record<string, FlagSpec<any>>>;

export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends FlagSpec<infer T> ? T : never;
};

export interface ParsedFlags<Table extends FlagTable> {
  readonly values: FlagValues<Table>;
  /** Every flag that has a value, by its main name in alphabetical order, as /flags and GET_FLAGS show it. */
  readonly shown: ReadonlyMap<string, string>;
  /** Main names of the flags given on the command line or in the environment. */
  readonly given: ReadonlySet<string>;
  readonly warnings: readonly string[];
}

export interface FlagSources {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `MESOS_`: `MESOS_WORK_DIR` is `work_dir`. Variables of unknown flags are ignored. */
  readonly prefix: string;
  /** The content of a file; throws if it cannot be read. */
  readFile(path: string): string;
}

export interface FlagError {
  readonly code: 'unknownFlag' | 'badValue' | 'duplicateFlag' | 'missingFlag' | 'unexpectedArgument';
  /** As it was given. */
  readonly flag: string;
  readonly message: string;
}

/** A flag as it was given: its value is undefined for `--name` and `--no-name`. */
interface Given {
  readonly typed: string;
  readonly name: string;
  readonly negated: boolean;
  readonly value: string | undefined;
  readonly fromEnv: boolean;
}

const fail = (code: FlagError['code'], flag: string, message: string): { ok: false; error: FlagError } =>
  err({ code, flag, message });

const split = (typed: string, name: string, value: string | undefined, fromEnv: boolean): Given => {
  const lower = name.toLowerCase();
  const negated = lower.startsWith('no-');
  return { typed, name: negated ? lower.slice(3) : lower, negated, value, fromEnv };
};

function fromArgv(argv: readonly string[]): Result<Given[], FlagError> {
  const given: Given[] = [];
  for (const raw of argv) {
    const arg = raw.trim();
    if (arg === '--') break;
    if (!arg.startsWith('--')) {
      const last = given.at(-1);
      // It may be (part of) the value of the previous flag, which may be a secret.
      const what = last === undefined ? JSON.stringify(raw) : `after --${last.name}`;
      const hint = last !== undefined && last.value === undefined ? `; a value is given as --${last.name}=VALUE` : '';
      return fail('unexpectedArgument', what, `Unexpected argument ${what}${hint}`);
    }
    const equals = arg.indexOf('=');
    const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
    given.push(split(`--${name}`, name, equals < 0 ? undefined : arg.slice(equals + 1), false));
  }
  return ok(given);
}

/** The number of single-character edits between two texts. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

function nearestName(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const edits = editDistance(name.replaceAll('-', '_'), candidate);
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

/** The text to parse: the given value, the content of the given file, or the boolean that the flag's form implies. */
function textOf(given: Given, spec: FlagSpec<unknown>, readFile: (path: string) => string): Result<string, FlagError> {
  const bad = (message: string) => fail('badValue', given.typed, `Flag ${given.typed}: ${message}`);
  if (spec.kind === 'value' && given.negated) return bad('has a value, so it has no --no- form');
  if (spec.kind === 'value' && given.value === undefined) return bad(`expected a value: --${given.name}=VALUE`);
  if (spec.kind === 'boolean' && given.negated && given.value) return bad('takes no value in its --no- form');
  if (spec.kind === 'boolean' && !given.value) return ok(String(!given.negated));
  const value = given.value as string;
  if (spec.path || !value.startsWith('file://')) return ok(value);
  const path = value.slice('file://'.length);
  try {
    // Editors and `echo` end a file with a line break that is not part of the value.
    return ok(readFile(path).replace(/(?<!\n)(\r?\n)+$/, ''));
  } catch (error) {
    return bad(`can't read ${path}: ${(error as Error).message}`);
  }
}

interface Taken {
  readonly value: unknown;
  readonly text: string;
  readonly given: Given;
}

function takeAll(
  all: readonly Given[],
  mains: ReadonlyMap<string, string>,
  table: FlagTable,
  readFile: (path: string) => string,
): Result<Map<string, Taken>, FlagError> {
  const taken = new Map<string, Taken>();
  for (const given of all) {
    const main = mains.get(given.name);
    if (main === undefined) {
      if (given.fromEnv) continue;
      const near = nearestName(given.name, mains.keys());
      const hint = near === undefined ? '' : `; did you mean --${near}?`;
      return fail('unknownFlag', given.typed, `Unknown flag ${given.typed}${hint}`);
    }
    const before = taken.get(main);
    if (before !== undefined && given.fromEnv && !before.given.fromEnv) continue;
    if (before !== undefined) {
      return fail('duplicateFlag', given.typed, `Flag ${given.typed} was given already, as ${before.given.typed}`);
    }
    const spec = table[main] as FlagSpec<unknown>;
    const text = textOf(given, spec, readFile);
    if (!text.ok) return text;
    const value = spec.parse(text.value);
    if (!value.ok) return fail('badValue', given.typed, `Flag ${given.typed}: ${value.error}`);
    taken.set(main, { value: value.value, text: text.value, given });
  }
  return ok(taken);
}

/** Parses the flags of a program. The error is the first mistake. */
export function parseFlags<const Table extends FlagTable>(
  table: Table,
  sources: FlagSources,
): Result<ParsedFlags<Table>, FlagError> {
  const typed = fromArgv(sources.argv);
  if (!typed.ok) return typed;
  const mains = new Map<string, string>();
  for (const [name, spec] of Object.entries(table)) {
    for (const each of [name, ...spec.aliases]) mains.set(each, name);
  }
  const fromEnv = Object.entries(sources.env)
    .filter(([name, value]) => name.startsWith(sources.prefix) && value !== undefined)
    .map(([name, value]) => split(name, name.slice(sources.prefix.length), value, true));
  const taken = takeAll([...typed.value, ...fromEnv], mains, table, sources.readFile);
  if (!taken.ok) return taken;

  const values: Record<string, unknown> = {};
  const shown = new Map<string, string>();
  const warnings: string[] = [];
  for (const name of Object.keys(table).sort()) {
    const spec = table[name] as FlagSpec<unknown>;
    const given = taken.value.get(name);
    if (given === undefined && spec.required) {
      return fail('missingFlag', `--${name}`, `Flag --${name} is required, but it was not given`);
    }
    if (given !== undefined && spec.status === 'refused') {
      return fail('badValue', given.given.typed, `Flag ${given.given.typed}: ${spec.help}`);
    }
    if (given !== undefined && spec.status === 'ignored') {
      warnings.push(`Flag ${given.given.typed} is known but has no effect yet`);
    }
    const fallback = spec.default === undefined ? undefined : spec.parse(spec.default);
    const value = given !== undefined ? given.value : fallback?.ok === true ? fallback.value : undefined;
    values[name] = value;
    if (value !== undefined) shown.set(name, spec.format(value, given?.text ?? spec.default ?? ''));
  }
  return ok({ values: values as FlagValues<Table>, shown, given: new Set(taken.value.keys()), warnings });
}

/** The text of --help: the usage, and each flag with its default. */
export function flagsHelp(usage: string, table: FlagTable): string {
  const rows = Object.keys(table)
    .sort()
    .map((name): readonly [string, string] => {
      const spec = table[name] as FlagSpec<unknown>;
      const forms = [name, ...spec.aliases].map((each) =>
        spec.kind === 'boolean' ? `--[no-]${each}` : `--${each}=VALUE`,
      );
      const notes = [
        spec.help,
        spec.required ? '(required)' : '',
        spec.default === undefined || spec.default === '' ? '' : `(default: ${spec.default})`,
        spec.status === 'ignored' ? '(accepted, no effect yet)' : '',
        spec.status === 'refused' ? '(refused)' : '',
      ];
      return [`  ${forms.join(', ')}`, notes.filter((note) => note !== '').join(' ')];
    });
  const lines = rows.map(([left, right]) => (right === '' ? left : `${left}\n        ${right}`));
  return `${usage}\n\n${lines.join('\n')}\n`;
}
