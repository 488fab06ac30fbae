/**
 * The text without the given character at its end. Not a regular expression: `/+$` is tried at each slash of a long run of
 * slashes inside the text, which takes quadratic time.
 */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const CONTROL = /\p{Cc}/gu;

/** The text with visible escapes in place of control characters: they would forge lines of a log or control a terminal. */
export const escapeControls = (text: string): string =>
  text.replace(CONTROL, (char) => ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
