// `meseta COMMAND`: loads the command and runs it; its result is the exit status.
import { catalog, type Entry } from './catalog.js';
import { CommandError, EXIT } from './command.js';
import { dispatch, isGroup } from './dispatch.js';
import { terminalText } from './output.js';

/** Set by scripts/build.mjs. */
declare const MESETA_BUILD: { readonly version: string };

const usage = (): string =>
  [
    'Usage: meseta COMMAND [OPTION]...',
    '',
    ...Object.entries(catalog).map(([name, { summary }]) => `  ${name.padEnd(13)}${summary}`),
    '',
    'meseta COMMAND --help describes a command; meseta --version prints the version.',
    '',
  ].join('\n');

async function runEntry(name: string, entry: Entry, argv: readonly string[]): Promise<number> {
  const command = await entry.load?.();
  const isVerb = command !== undefined && isGroup(command) && Object.hasOwn(command.verbs, argv[0] ?? '');
  if (entry.program !== undefined && !isVerb) return (await entry.program()).main(argv, process.env);
  // A reader that needs no more output (`meseta state | head`) closes the pipe.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.done);
  });
  return command === undefined ? EXIT.usage : dispatch(name, command, argv);
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  if (name === '--version' || name === 'version') {
    process.stdout.write(`meseta ${MESETA_BUILD.version}\n`);
    return EXIT.done;
  }
  if (name === 'supervisor') return (await import('@meseta/agent/shell/supervisor-main')).supervisorMain(rest);
  if (name === 'cluster-guardian') return (await import('./up/guardian.js')).guardianMain(rest);
  if (name === 'image-helper') return (await import('@meseta/agent/shell/image-helper-main')).imageHelperMain();
  const entry = Object.hasOwn(catalog, name) ? catalog[name] : undefined;
  if (entry === undefined) {
    process.stderr.write(`meseta: unknown command '${name}'\n\n${usage()}`);
    return EXIT.usage;
  }
  try {
    return await runEntry(name, entry, rest);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${terminalText(error.message)}\n`);
    return error.exitCode;
  }
}

process.exitCode = await main(process.argv.slice(2));
