// What a command is: one declaration from which its parser, its help and the shells' completion all follow.
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 3 the cluster can't be reached. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

type ParserOption = NonNullable<ParseArgsConfig['options']>[string];

export type Option = ParserOption & {
  readonly help: string;
  /** What stands behind `=` in the help; without it the option takes no value. */
  readonly value?: string;
};

export type OptionTable = Readonly<Record<string, Option>>;

type Values<O extends OptionTable> = ReturnType<
  typeof parseArgs<{ readonly options: O; readonly allowPositionals: true }>
>['values'];

/** Ends the command with a text for the user and an exit code; not a defect. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
  }
}

/** A mistake on the command line; `path` is the command's name, `task list`. */
export const usageError = (path: string, text: string): CommandError =>
  new CommandError(`meseta ${path}: ${text}\nSee 'meseta ${path} --help'.`, EXIT.usage);

/** Every command that speaks to a cluster takes these. */
export const clusterOptions = {
  master: {
    type: 'string',
    value: 'HOST:PORT',
    help: 'any master of the cluster (default: $MESETA_MASTER, else 127.0.0.1:5050)',
  },
  principal: { type: 'string', value: 'NAME', help: 'who you are, where the cluster asks' },
  'secret-file': { type: 'string', value: 'FILE', help: 'the file that holds the secret (or $MESETA_SECRET)' },
  json: { type: 'boolean', help: 'for programs' },
} as const satisfies OptionTable;

const HELP_OPTION = { type: 'boolean', short: 'h', help: 'this text' } as const satisfies Option;

export interface Command {
  readonly summary: string;
  readonly options: OptionTable;
  /** What may stand in the place of an argument, where that is a fixed choice. */
  readonly choices: readonly string[];
  /** `path` is how it was called: `task list`. */
  run(path: string, argv: readonly string[]): Promise<number>;
}

export interface CommandDeclaration<O extends OptionTable> {
  readonly summary: string;
  /** `TASK...`, `[FRAMEWORK]`, `AGENT RESOURCES`; empty for none. Words in brackets may be left out. */
  readonly words: string;
  /** Lines below the usage. */
  readonly about?: string;
  readonly options: O;
  readonly choices?: readonly string[];
  readonly run: (values: Values<O>, words: readonly string[], path: string) => Promise<number>;
}

export function defineCommand<const O extends OptionTable>(declaration: CommandDeclaration<O>): Command {
  const { summary, words, about, choices = [], run } = declaration;
  const options = { ...declaration.options, help: HELP_OPTION };
  return {
    summary,
    options,
    choices,
    async run(path, argv) {
      const { values, positionals } = parse(path, { args: [...argv], options, allowPositionals: true });
      if ((values as { readonly help?: boolean }).help) {
        process.stdout.write(helpText(path, words, about ?? summary, options));
        return EXIT.done;
      }
      checkWords(path, words, positionals);
      return run(values as Values<O>, positionals, path);
    },
  };
}

/** node:util's parser, its errors turned into a CommandError that names the help. */
export function parse<const T extends ParseArgsConfig>(path: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs<T>(config);
  } catch (error) {
    throw usageError(path, error instanceof Error ? error.message : String(error));
  }
}

function checkWords(path: string, words: string, given: readonly string[]): void {
  const all = words.split(' ').filter((word) => word !== '');
  const least = all.filter((word) => !word.startsWith('[')).length;
  const most = all.some((word) => word.includes('...')) ? Number.POSITIVE_INFINITY : all.length;
  if (given.length >= least && given.length <= most) return;
  const got = given.length === 0 ? 'nothing' : given.map((word) => `'${word}'`).join(' ');
  throw usageError(path, `expected ${words === '' ? 'no argument' : words}, got ${got}`);
}

const OPTION_WIDTH = 21;

function helpText(path: string, words: string, about: string, options: OptionTable): string {
  const lines = Object.entries(options).map(([name, { short, value, help }]) => {
    const option = `--${name}${value === undefined ? '' : `=${value}`}`;
    const start = `  ${short === undefined ? '   ' : `-${short},`} ${option.padEnd(OPTION_WIDTH)}`;
    return option.length < OPTION_WIDTH ? `${start}${help}` : `${start}\n${' '.repeat(6 + OPTION_WIDTH)}${help}`;
  });
  const usage = ['Usage: meseta', path, '[OPTION]...', words].filter((part) => part !== '').join(' ');
  return `${usage}\n${about}\n\n${lines.join('\n')}\n`;
}

/** A number that the user typed, or a CommandError that names the option. */
export function parseNumber(path: string, option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw usageError(path, `--${option}: expected a number of at least 0, got '${text}'`);
  }
  return value;
}
