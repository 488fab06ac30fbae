// `meseta COMMAND`: finds the command, loads it and nothing else, and turns its end into an exit status.
import { CommandError, EXIT } from './command.js';

/** A command's program: takes what follows its name; the number is the exit status. Daemons answer when they have ended. */
type Program = (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

interface Command {
  readonly summary: string;
  readonly load: (argv: readonly string[]) => Promise<Program>;
}

const commands: Readonly<Record<string, Command>> = {
  up: {
    summary: 'A cluster on this machine and a workload on it.',
    load: async () => (await import('./commands/up.js')).upProgram,
  },
  master: {
    summary: 'Runs a master.',
    load: async () => (await import('@meseta/master/shell/main')).masterMain,
  },
  agent: {
    summary: 'Runs an agent; agent list: the agents of a cluster.',
    load: async ([verb]) =>
      verb === 'list'
        ? (argv) => import('./commands/agent-list.js').then((m) => m.agentListProgram(argv.slice(1)))
        : (await import('@meseta/agent/shell/main')).agentMain,
  },
  run: {
    summary: 'Runs one command on the cluster and shows its output.',
    load: async () => (await import('./commands/run.js')).runProgram,
  },
  task: {
    summary: 'Tasks: list, logs, kill.',
    load: async () => (await import('./commands/task.js')).taskProgram,
  },
  framework: {
    summary: 'Frameworks: list.',
    load: async () => (await import('./commands/framework.js')).frameworkProgram,
  },
  sim: {
    summary: 'Simulates clusters with faults, to find what breaks.',
    load: async () => (await import('./commands/sim.js')).simProgram,
  },
};

const usage = (): string =>
  [
    'Usage: meseta COMMAND [OPTION]...',
    '',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`),
    '',
    'meseta COMMAND --help tells more.',
    '',
  ].join('\n');

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  const command = commands[name];
  if (command === undefined) {
    process.stderr.write(`meseta: unknown command '${name}'\n\n${usage()}`);
    return EXIT.usage;
  }
  try {
    return await (await command.load(rest))(rest, process.env);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
}

process.exitCode = await main(process.argv.slice(2));
