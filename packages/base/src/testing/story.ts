// Stories: what a core is told and what it does then, as text that can be read without the code. A line that begins with
// `> ` goes in: a word and JSON. Below it stands what came out, a line each. Random ids are named `<1>`, `<2>` ... in
// the order in which they appear; a bigint is written as a string with an n behind it.

const RANDOM_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9+/]{22}==/g;

/** JSON with its bigints, for lines of a story. */
export const storyJson = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));

const parsed = (json: string): unknown =>
  JSON.parse(json, (_, part: unknown) =>
    typeof part === 'string' && /^-?\d+n$/.test(part) ? BigInt(part.slice(0, -1)) : part,
  );

/**
 * Plays the story's lines; `play` gets the word and the value of each and answers what comes out. Answers the story with
 * what really came out: it is the same text where all is as the story says.
 */
export function playStory(story: string, play: (word: string, value: unknown) => readonly string[]): string {
  const names = new Map<string, string>();
  const nameOf = (id: string): string => {
    const name = names.get(id) ?? `<${names.size + 1}>`;
    names.set(id, name);
    return name;
  };
  const withIds = (line: string): string => {
    const ids = new Map([...names].map(([id, name]) => [name, id]));
    return line.replaceAll(/<\d+>/g, (name) => ids.get(name) ?? name);
  };
  return story
    .split('\n')
    .filter((line) => line === '' || line.startsWith('> ') || line.startsWith('# '))
    .flatMap((line) => {
      if (!line.startsWith('> ')) return [line];
      const [, word = '', json = ''] = /^> (\S+) ?(.*)$/.exec(withIds(line)) ?? [];
      const out = play(word, json === '' ? undefined : parsed(json));
      return [line, ...out.map((it) => it.replaceAll(RANDOM_ID, nameOf))];
    })
    .join('\n');
}

/** The first line that is not as the story says, for a person; undefined where all are. */
export function storyDifference(path: string, story: string, played: string): string | undefined {
  const [said, came] = [story.split('\n'), played.split('\n')];
  const at = said.findIndex((line, i) => line !== came[i]);
  if (at < 0 && said.length === came.length) return undefined;
  const line = at < 0 ? said.length : at;
  return [
    `${path}:${line + 1}: it says`,
    said[line] ?? '(nothing)',
    'but what came is',
    came[line] ?? '(nothing)',
    'If that is meant, run the test with MESETA_STORIES=write and read the difference.',
  ].join('\n');
}
