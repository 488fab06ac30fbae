/**
 * The text without the given character at its end. Not a regular expression: `/+$` is tried at each slash of a long run of
 * slashes inside the text, which takes quadratic time.
 */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}
