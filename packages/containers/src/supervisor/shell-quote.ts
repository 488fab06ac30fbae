/** Quotes any text as one word of a POSIX shell: between single quotes only the quote itself is special. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const shellWords = (words: readonly string[]): string => words.map(shellWord).join(' ');
