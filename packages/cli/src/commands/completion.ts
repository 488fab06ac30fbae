// `meseta completion`: completion scripts for shells, generated from the commands' declarations.
import { catalog } from '../catalog.js';
import type { OptionTable } from '../command.js';
import { defineCommand, EXIT, usageError } from '../command.js';
import { bashScript, type CompletionPath, fishScript, zshScript } from '../completion/scripts.js';
import { isGroup } from '../dispatch.js';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
type Shell = keyof typeof SCRIPTS;

export const completion = defineCommand({
  summary: 'Prints a completion script for bash, zsh or fish.',
  positionals: 'bash|zsh|fish',
  about: `Prints a script that completes meseta's commands and options:
  bash   source <(meseta completion bash)
  zsh    meseta completion zsh > ~/.zfunc/_meseta      (a directory of $fpath)
  fish   meseta completion fish > ~/.config/fish/completions/meseta.fish`,
  options: {},
  choices: Object.keys(SCRIPTS),
  async run(_, [shell = ''], path) {
    if (!Object.hasOwn(SCRIPTS, shell)) throw usageError(path, `expected bash, zsh or fish, got '${shell}'`);
    process.stdout.write(SCRIPTS[shell as Shell](await completionPaths()));
    return EXIT.done;
  },
});

/** Every command and verb, with what may follow it. */
export async function completionPaths(): Promise<readonly CompletionPath[]> {
  const paths: CompletionPath[] = [
    {
      command: [],
      summary: '',
      next: Object.entries(catalog).map(([name, { summary }]) => ({ name, summary })),
      options: [{ name: 'version', takesValue: false, help: 'print the version' }],
    },
  ];
  for (const [name, { summary, load, program }] of Object.entries(catalog)) {
    const [command, main] = [await load?.(), await program?.()];
    const flags = (main?.flags ?? []).map((flag) => ({ name: flag, takesValue: true, help: '' }));
    if (command === undefined) paths.push({ command: [name], summary, next: [], options: flags });
    else if (!isGroup(command)) {
      const next = command.choices.map((choice) => ({ name: choice, summary: '' }));
      paths.push({ command: [name], summary, next, options: optionsOf(command.options) });
    } else {
      const verbs = Object.entries(command.verbs);
      const next = verbs.map(([verb, { summary: about }]) => ({ name: verb, summary: about }));
      paths.push({ command: [name], summary, next, options: flags });
      for (const [verb, { summary: about, options }] of verbs) {
        paths.push({ command: [name, verb], summary: about, next: [], options: optionsOf(options) });
      }
    }
  }
  return paths;
}

const optionsOf = (options: OptionTable): CompletionPath['options'] =>
  Object.entries(options).map(([name, { value, help }]) => ({ name, takesValue: value !== undefined, help }));
