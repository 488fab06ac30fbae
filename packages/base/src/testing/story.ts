// Stories: the inputs of a core and its effects as text that can be read without the code. A line that begins with `> ` is
// an input: a verb and a JSON value. The lines below it are the effects, one each. Random ids are named `<1>`, `<2>` ... in
// the order of their first appearance; a bigint is written as a string that ends in n.

const RANDOM_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9+/]{22}==/g;

/** JSON for the lines of a story, with bigints. */
export const storyJson = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));

const parsed = (json: string): unknown =>
  JSON.parse(json, (_, part: unknown) =>
    typeof part === 'string' && /^-?\d+n$/.test(part) ? BigInt(part.slice(0, -1)) : part,
  );

/**
 * Plays the inputs of a story: `play` gets the verb and the value of each and returns the lines of its effects. Returns the
 * story with the effects that were played; it equals `story` if every effect is as the story says.
 */
export function playStory(story: string, play: (verb: string, value: unknown) => readonly string[]): string {
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
      const [, verb = '', json = ''] = /^> (\S+) ?(.*)$/.exec(withIds(line)) ?? [];
      const effects = play(verb, json === '' ? undefined : parsed(json));
      return [line, ...effects.map((it) => it.replaceAll(RANDOM_ID, nameOf))];
    })
    .join('\n');
}

/** Long records are cut in the log of a failed story; the two lines that differ are shown whole. */
const MAX_LOG_LINE = 240;

/**
 * What a failed test prints: the first line that differs, and the event log from the start of the story to that line.
 * Undefined if the story and what was played are equal.
 */
export function storyDifference(path: string, story: string, played: string): string | undefined {
  const [expected, actual] = [story.split('\n'), played.split('\n')];
  const at = expected.findIndex((line, i) => line !== actual[i]);
  if (at < 0 && expected.length === actual.length) return undefined;
  const index = at < 0 ? expected.length : at;
  const shorten = (line: string): string => (line.length > MAX_LOG_LINE ? `${line.slice(0, MAX_LOG_LINE)}...` : line);
  return [
    `${path}:${index + 1}: the story expects`,
    expected[index] ?? '(no further line)',
    'but the core produced',
    actual[index] ?? '(no further line)',
    'If the change is intended, run the test with MESETA_STORIES=write and review the difference.',
    'The event log up to this line:',
    ...actual.slice(0, index).map(shorten),
  ].join('\n');
}
