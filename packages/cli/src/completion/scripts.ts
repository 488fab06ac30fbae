// Completion scripts for shells, generated as text from a table of commands.

/** A command, or a verb of a group, with the candidates that may follow it. */
export interface CompletionPath {
  /** `['task', 'list']`; empty for `meseta` itself. */
  readonly command: readonly string[];
  readonly summary: string;
  readonly next: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly { readonly name: string; readonly takesValue: boolean; readonly help: string }[];
}

const optionList = ({ options }: CompletionPath): string =>
  options.map(({ name, takesValue }) => `--${name}${takesValue ? '=' : ''}`).join(' ');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The cases of bash and zsh, which choose the candidates by the preceding arguments. */
const cases = (paths: readonly CompletionPath[], render: (path: CompletionPath) => string): string =>
  paths
    .filter(({ command }) => command.length > 0)
    .sort((a, b) => b.command.length - a.command.length)
    .map(
      (path) =>
        `    ${path.command.length === 2 ? quoted(path.command.join(' ')) : `${quoted(`${path.command[0]} `)}*`}) ${render(path)} ;;`,
    )
    .join('\n');

const rootOf = (paths: readonly CompletionPath[]): CompletionPath =>
  paths.find(({ command }) => command.length === 0) ?? { command: [], summary: '', next: [], options: [] };

export function bashScript(paths: readonly CompletionPath[]): string {
  const root = rootOf(paths);
  const candidates = (path: CompletionPath): string =>
    `next=${quoted(path.next.map(({ name }) => name).join(' '))} options=${quoted(optionList(path))}`;
  return `# Completion of meseta for bash: source <(meseta completion bash)
_meseta() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" next='' options='' at=2
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    next=${quoted(root.next.map(({ name }) => name).join(' '))} options=${quoted(optionList(root))}
  else case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${cases(paths, candidates)}
    esac
    [ "$COMP_CWORD" -eq 2 ] || next=''
  fi
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -W "$next" -- "$cur")) ;;
  esac
  case "\${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _meseta meseta
`;
}

export function zshScript(paths: readonly CompletionPath[]): string {
  const root = rootOf(paths);
  const described = (items: readonly { readonly name: string; readonly summary: string }[]): string =>
    items.map(({ name, summary }) => quoted(`${name.replaceAll(':', '\\:')}:${summary}`)).join(' ');
  const options = (path: CompletionPath): string =>
    described(
      path.options.map(({ name, takesValue, help }) => ({ name: `--${name}${takesValue ? '=' : ''}`, summary: help })),
    );
  const candidates = (path: CompletionPath): string => `next=(${described(path.next)}); options=(${options(path)})`;
  return `#compdef meseta
# Completion of meseta for zsh: meseta completion zsh > DIRECTORY_OF_FPATH/_meseta
_meseta() {
  local -a next options
  if (( CURRENT == 2 )); then
    next=(${described(root.next)}); options=(${options(root)})
  else case "$words[2] $words[3]" in
${cases(paths, candidates)}
    esac
    (( CURRENT == 3 )) || next=()
  fi
  if [[ $words[CURRENT] == -* ]]; then _describe -o option options -S ''
  elif (( $#next )); then _describe command next
  else _files
  fi
}
_meseta "$@"
`;
}

export function fishScript(paths: readonly CompletionPath[]): string {
  const lines = paths.flatMap((path) => {
    const [command, verb] = path.command;
    const siblings = paths
      .filter(({ command: other }) => other.length === 2 && other[0] === command)
      .map(({ command: other }) => other[1]);
    const here =
      command === undefined
        ? '__fish_use_subcommand'
        : verb === undefined
          ? `__fish_seen_subcommand_from ${command}${siblings.length === 0 ? '' : `; and not __fish_seen_subcommand_from ${siblings.join(' ')}`}`
          : `__fish_seen_subcommand_from ${command}; and __fish_seen_subcommand_from ${verb}`;
    const start = `complete -c meseta -n ${quoted(here)}`;
    return [
      ...path.next.map(({ name, summary }) => `${start} -f -a ${quoted(name)} -d ${quoted(summary)}`),
      ...path.options.map(
        ({ name, takesValue, help }) => `${start} -l ${name}${takesValue ? ' -r' : ''} -d ${quoted(help)}`,
      ),
    ];
  });
  return `# Completion of meseta for fish: meseta completion fish > ~/.config/fish/completions/meseta.fish\n${lines.join('\n')}\n`;
}
