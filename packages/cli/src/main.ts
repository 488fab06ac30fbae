// `meseta COMMAND`: finds the command and loads it, and nothing else.

/** A command's program: takes what follows its name; the number is the exit status. Daemons answer when they have ended. */
type Program = (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

interface Command {
  readonly summary: string;
  readonly load: () => Promise<Program>;
}

const commands: Readonly<Record<string, Command>> = {
  master: {
    summary: 'Runs a master.',
    load: async () => (await import('@meseta/master/shell/main')).masterMain,
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
    return name === undefined ? 2 : 0;
  }
  const command = commands[name];
  if (command === undefined) {
    process.stderr.write(`meseta: unknown command ${JSON.stringify(name)}\n\n${usage()}`);
    return 2;
  }
  return (await command.load())(rest, process.env);
}

process.exitCode = await main(process.argv.slice(2));
