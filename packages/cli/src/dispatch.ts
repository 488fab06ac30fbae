// Finds the command of a verb (`meseta task list`).
import { type Command, CommandError, EXIT } from './command.js';

export interface Group {
  readonly summary: string;
  readonly verbs: Readonly<Record<string, Command>>;
}

export const isGroup = (entry: Command | Group): entry is Group => 'verbs' in entry;

const groupHelp = (name: string, { summary, verbs }: Group): string => {
  const width = Object.keys(verbs).reduce((most, verb) => Math.max(most, verb.length), 0) + 2;
  const lines = Object.entries(verbs).map(([verb, command]) => `  ${verb.padEnd(width)}${command.summary}`);
  return `Usage: meseta ${name} VERB [OPTION]...\n${summary}\n\n${lines.join('\n')}\n\nmeseta ${name} VERB --help describes a verb.\n`;
};

/** Runs the command, or the command of the verb that `argv` begins with. A group without a verb, or with --help, prints its usage. */
export async function dispatch(name: string, entry: Command | Group, argv: readonly string[]): Promise<number> {
  if (!isGroup(entry)) return entry.run(name, argv);
  const [verb, ...rest] = argv;
  if (verb === undefined || verb === '--help' || verb === '-h') {
    process.stdout.write(groupHelp(name, entry));
    return verb === undefined ? EXIT.usage : EXIT.done;
  }
  const command = Object.hasOwn(entry.verbs, verb) ? entry.verbs[verb] : undefined;
  if (command === undefined) {
    const known = Object.keys(entry.verbs).join(', ');
    throw new CommandError(`meseta ${name}: unknown verb '${verb}', expected one of ${known}`, EXIT.usage);
  }
  return command.run(`${name} ${verb}`, rest);
}
