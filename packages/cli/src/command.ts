// Declarations of commands: a command's parser, help and shell completion are derived from one table of options.
import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { parseDuration } from '@meseta/base';

/** Exit statuses: 0 success, 1 failure, 2 a wrong command line, 3 the cluster cannot be reached. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

type ParserOption = NonNullable<ParseArgsConfig['options']>[string];

export type Option = ParserOption & {
  readonly help: string;
  /** The placeholder behind `=` in the help. Undefined: the option takes no value. */
  readonly value?: string;
};

export type OptionTable = Readonly<Record<string, Option>>;

type Values<O extends OptionTable> = ReturnType<
  typeof parseArgs<{ readonly options: O; readonly allowPositionals: true }>
>['values'];

/** Thrown to end the command with a message for the user and an exit status. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
  }
}

/** The error of a wrong command line. `path` is the command as it was called: `task list`. */
export const usageError = (path: string, text: string): CommandError =>
  new CommandError(`meseta ${path}: ${text}\nSee 'meseta ${path} --help'.`, EXIT.usage);

/** The options of every command that sends requests to a cluster. */
export const clusterOptions = {
  master: {
    type: 'string',
    value: 'ADDRESS',
    help: `any master of the cluster, HOST:PORT or several with commas between; or the zk:// or etcd:// address
                           that the masters have; or file:///PATH of a file with it (default: $MESETA_MASTER,
                           else 127.0.0.1:5050). With several masters a command waits up to 15 s for one to lead`,
  },
  principal: {
    type: 'string',
    value: 'NAME',
    help: 'the principal to authenticate as, if the cluster requires authentication',
  },
  'secret-file': {
    type: 'string',
    value: 'FILE',
    help: 'a file with the secret of the principal (default: $MESETA_SECRET)',
  },
  json: { type: 'boolean', help: 'print JSON' },
} as const satisfies OptionTable;

const HELP_OPTION = { type: 'boolean', short: 'h', help: 'print this help' } as const satisfies Option;

export interface Command {
  readonly summary: string;
  readonly options: OptionTable;
  /** The values of the first positional that shells complete. */
  readonly choices: readonly string[];
  /** `path` is the command as it was called: `task list`. */
  run(path: string, argv: readonly string[]): Promise<number>;
}

export interface CommandDeclaration<O extends OptionTable> {
  readonly summary: string;
  /** `TASK...`, `[FRAMEWORK]`, `AGENT RESOURCES`; empty for none. Those in brackets are optional. */
  readonly positionals: string;
  /** The text below the usage; the summary unless given. */
  readonly about?: string;
  readonly options: O;
  readonly choices?: readonly string[];
  /** From this positional on (1 is the first) arguments are passed on, also those that begin with a dash. */
  readonly verbatimFrom?: number;
  readonly run: (values: Values<O>, positionals: readonly string[], path: string) => Promise<number>;
}

export function defineCommand<const O extends OptionTable>(declaration: CommandDeclaration<O>): Command {
  const { summary, about, choices = [], verbatimFrom, run } = declaration;
  const options = { ...declaration.options, help: HELP_OPTION };
  return {
    summary,
    options,
    choices,
    async run(path, argv) {
      const args = verbatimFrom === undefined ? [...argv] : markVerbatim(argv, options, verbatimFrom);
      const { values, positionals } = parse(path, { args, options, allowPositionals: true });
      if ((values as { readonly help?: boolean }).help) {
        process.stdout.write(helpText(path, declaration.positionals, about ?? summary, options));
        return EXIT.done;
      }
      checkPositionals(path, declaration.positionals, positionals);
      return run(values as Values<O>, positionals, path);
    },
  };
}

/** Inserts `--` before the positional of this number, unless the arguments have one before it. */
function markVerbatim(argv: readonly string[], options: OptionTable, number: number): string[] {
  const args = [...argv];
  const { tokens } = parseArgs({ args, options, allowPositionals: true, strict: false, tokens: true });
  const first = tokens.filter(({ kind }) => kind === 'positional')[number - 1]?.index ?? args.length;
  const terminator = tokens.find(({ kind }) => kind === 'option-terminator')?.index ?? args.length;
  if (first < terminator) args.splice(first, 0, '--');
  return args;
}

/** Parses with node:util; its errors become a CommandError that refers to the help. */
export function parse<const T extends ParseArgsConfig>(path: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs<T>(config);
  } catch (error) {
    throw usageError(path, error instanceof Error ? error.message : String(error));
  }
}

function checkPositionals(path: string, expected: string, given: readonly string[]): void {
  const all = expected.split(' ').filter((name) => name !== '');
  const least = all.filter((name) => !name.startsWith('[')).length;
  const most = all.some((name) => name.includes('...')) ? Number.POSITIVE_INFINITY : all.length;
  if (given.length >= least && given.length <= most) return;
  const got = given.length === 0 ? 'nothing' : given.map((argument) => `'${argument}'`).join(' ');
  throw usageError(path, `expected ${expected === '' ? 'no argument' : expected}, got ${got}`);
}

const OPTION_WIDTH = 21;

function helpText(path: string, positionals: string, about: string, options: OptionTable): string {
  const lines = Object.entries(options).map(([name, { short, value, help }]) => {
    const option = `--${name}${value === undefined ? '' : `=${value}`}`;
    const start = `  ${short === undefined ? '   ' : `-${short},`} ${option.padEnd(OPTION_WIDTH)}`;
    return option.length < OPTION_WIDTH ? `${start}${help}` : `${start}\n${' '.repeat(6 + OPTION_WIDTH)}${help}`;
  });
  const usage = ['Usage: meseta', path, '[OPTION]...', positionals].filter((part) => part !== '').join(' ');
  return `${usage}\n${about}\n\n${lines.join('\n')}\n`;
}

/** The content of the file that an option names. Throws a CommandError that names the option. */
export function readOptionFile(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`--${option}: ${error instanceof Error ? error.message : String(error)}`, EXIT.usage);
  }
}

/** A number of at least 0. Throws a CommandError that names the option. */
export function parseNumber(path: string, option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw usageError(path, `--${option}: expected a number of at least 0, got '${text}'`);
  }
  return value;
}

/** A whole number within bounds. Throws a CommandError that names the option. */
export function parseInteger(path: string, option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw usageError(path, `--${option}: expected a whole number from ${least} to ${most}, got '${text}'`);
}

/** The longest wait of a timer. setTimeout does not wait at all if it is given a longer one. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Milliseconds of a duration in Mesos' format, `10secs`, of at most `mostMs`. Throws a CommandError that names the option.
 */
export function parseDurationOption(
  path: string,
  option: string,
  text: string,
  mostMs = Number.POSITIVE_INFINITY,
): number {
  const duration = parseDuration(text);
  if (!duration.ok) throw usageError(path, `--${option}: ${duration.error}`);
  if (duration.value < 0) throw usageError(path, `--${option}: expected a duration of at least 0, got '${text}'`);
  if (duration.value > mostMs) {
    const days = Math.floor(mostMs / 86_400_000);
    throw usageError(path, `--${option}: expected a duration of at most ${days}days, got '${text}'`);
  }
  return duration.value;
}
