// Commands with verbs (`meseta task list`) share how they find the verb's program.
import { CommandError, EXIT } from './command.js';

export type Program = (argv: readonly string[]) => Promise<number>;

/** Picks `argv[0]` of the subcommands; without one, or with --help, prints the usage. */
export async function dispatch(
  name: string,
  usage: string,
  programs: Readonly<Record<string, Program>>,
  argv: readonly string[],
): Promise<number> {
  const [verb, ...rest] = argv;
  if (verb === undefined || verb === '--help' || verb === '-h') {
    process.stdout.write(usage);
    return verb === undefined ? EXIT.usage : EXIT.done;
  }
  const program = programs[verb];
  if (program === undefined) {
    const known = Object.keys(programs).join(', ');
    throw new CommandError(`meseta ${name}: unknown '${verb}', expected one of ${known}`, EXIT.usage);
  }
  return program(rest);
}
