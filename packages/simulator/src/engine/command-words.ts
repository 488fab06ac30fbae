// The commands of simulated processes: words that say what the process does, some of which are followed by a number.

export const wordsOf = (command: string | undefined): readonly string[] => (command ?? '').split(' ');

export const numberAfter = (words: readonly string[], word: string): number | undefined =>
  words.includes(word) ? Number(words[words.indexOf(word) + 1]) : undefined;
