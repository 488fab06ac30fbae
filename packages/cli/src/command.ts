// What a command is, and what all commands share: options, the master's address, exit codes.
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 3 the cluster can't be reached. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export type OptionTable = NonNullable<ParseArgsConfig['options']>;

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

/** Every command that speaks to a cluster takes these. */
export const clusterOptions = {
  master: { type: 'string' },
  principal: { type: 'string' },
  'secret-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies OptionTable;

export const CLUSTER_HELP = `
      --master=HOST:PORT   any master of the cluster (default: $MESETA_MASTER, else 127.0.0.1:5050)
      --principal=NAME     who you are, where the cluster asks
      --secret-file=FILE   the file that holds the secret (or $MESETA_SECRET)
      --json               for programs
  -h, --help`;

/** node:util's parser, its errors turned into a CommandError that names the help. */
export function parse<const T extends ParseArgsConfig>(command: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs<T>(config);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new CommandError(`meseta ${command}: ${text}\nSee 'meseta ${command} --help'.`, EXIT.usage);
  }
}

/** A number that the user typed, or a CommandError that names the option. */
export function parseNumber(command: string, option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new CommandError(
      `meseta ${command}: --${option}: expected a number of at least 0, got '${text}'`,
      EXIT.usage,
    );
  }
  return value;
}
