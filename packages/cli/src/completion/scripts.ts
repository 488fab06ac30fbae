// Completion scripts for the shells, from a table of commands; pure text.

/** A command, or a group's verb, and what may come after it. */
export interface CompletionPath {
  readonly words: readonly string[];
  readonly summary: string;
  readonly next: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly { readonly name: string; readonly takesValue: boolean; readonly help: string }[];
}

const optionWords = ({ options }: CompletionPath): string =>
  options.map(({ name, takesValue }) => `--${name}${takesValue ? '=' : ''}`).join(' ');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Both shells ask in the same way: the words so far pick the candidates. */
const cases = (paths: readonly CompletionPath[], render: (path: CompletionPath) => string): string =>
  paths
    .filter(({ words }) => words.length > 0)
    .sort((a, b) => b.words.length - a.words.length)
    .map(
      (path) =>
        `    ${path.words.length === 2 ? quoted(path.words.join(' ')) : `${quoted(`${path.words[0]} `)}*`}) ${render(path)} ;;`,
    )
    .join('\n');

const rootOf = (paths: readonly CompletionPath[]): CompletionPath =>
  paths.find(({ words }) => words.length === 0) ?? { words: [], summary: '', next: [], options: [] };

export function bashScript(paths: readonly CompletionPath[]): string {
  const root = rootOf(paths);
  const candidates = (path: CompletionPath): string =>
    `next=${quoted(path.next.map(({ name }) => name).join(' '))} options=${quoted(optionWords(path))}`;
  return `# Completion of meseta for bash: source <(meseta completion bash)
_meseta() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" next='' options='' at=2
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    next=${quoted(root.next.map(({ name }) => name).join(' '))} options=${quoted(optionWords(root))}
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
# Completion of meseta for zsh: meseta completion zsh > a folder of $fpath/_meseta
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
    const [command, verb] = path.words;
    const siblings = paths
      .filter(({ words }) => words.length === 2 && words[0] === command)
      .map(({ words }) => words[1]);
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
