/**
 * The text without the characters of this kind at its end. Not a regular expression: one that isn't bound to the start
 * tries `/+$` from each slash of a long run that is not at the end, which takes the square of its length.
 */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}
