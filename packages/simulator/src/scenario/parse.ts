// Parses scenarios: blocks of commands, `----`, and the events until the commands were done. Lines that start with `#` are
// comments.

export interface Block {
  /** Comments and blank lines before it, as they stand. */
  readonly before: string;
  readonly commands: readonly Command[];
  readonly source: string;
  readonly expected: string;
}

export interface Command {
  readonly name: string;
  readonly words: readonly string[];
  /** `cpus=4` */
  readonly settings: ReadonlyMap<string, string>;
}

function parseCommand(line: string): Command {
  const [name = '', ...rest] = line.trim().split(/\s+/);
  const isSetting = (word: string): boolean => word.includes('=');
  return {
    name,
    words: rest.filter((word) => !isSetting(word)),
    settings: new Map(
      rest.filter(isSetting).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
    ),
  };
}

/** The blocks of a file; what follows the last is dropped. */
export function parseScenario(text: string): readonly Block[] {
  const blocks: Block[] = [];
  let before: string[] = [];
  let source: string[] = [];
  let expected: string[] | undefined;
  const finish = (): void => {
    if (expected === undefined) return;
    blocks.push({
      before: before.map((line) => `${line}\n`).join(''),
      commands: source.map(parseCommand),
      source: source.map((line) => `${line}\n`).join(''),
      expected: expected.map((line) => `${line}\n`).join(''),
    });
    before = [];
    source = [];
    expected = undefined;
  };
  for (const line of text.split('\n')) {
    if (expected !== undefined) {
      if (line === '') finish();
      else expected.push(line);
    } else if (line === '----') expected = [];
    else if (line.startsWith('#') || line === '') before.push(line);
    else source.push(line);
  }
  finish();
  return blocks;
}

export const renderBlock = ({ before, source }: Block, output: string): string => `${before}${source}----\n${output}\n`;
