/**
 * The text without the given character at its end. Not a regular expression: `/+$` is tried at each slash of a long run of
 * slashes inside the text, which takes quadratic time.
 */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}

/** The most characters of a peer's text that an error quotes: a text may have as many as its whole message. */
const MAX_QUOTED = 200;

/** The text as JSON, for errors; a long text is cut and ends with its length. */
export const quoted = (text: string): string =>
  text.length <= MAX_QUOTED
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, MAX_QUOTED))}... (${text.length} characters)`;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const CONTROL = /\p{Cc}/gu;

/** The text with visible escapes in place of control characters: they would forge lines of a log or control a terminal. */
export const escapeControls = (text: string): string =>
  text.replace(CONTROL, (char) => ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
