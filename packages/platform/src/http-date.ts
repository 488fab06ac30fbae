// The Date header of answers that this process writes without node:http.
//
// Owns: the text of the current second. Each user of `createDatedTexts` keeps texts with that date.
// HTTP-DATE-1: a text with a date is at most a second old.
let second = 0;
let date = '';

function currentSecond(): number {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1000).toUTCString();
  }
  return now;
}

/** Keeps texts that contain the date for the rest of its second: the same few answers are sent again and again. */
export function createDatedTexts(): (key: string, make: (dateLine: string) => string) => string {
  const texts = new Map<string, string>();
  let textsSecond = 0;
  return (key, make) => {
    const now = currentSecond();
    if (now !== textsSecond) {
      texts.clear();
      textsSecond = now;
    }
    const known = texts.get(key);
    if (known !== undefined) return known;
    const text = make(`Date: ${date}\r\n`);
    texts.set(key, text);
    return text;
  };
}

export function dateLine(): string {
  currentSecond();
  return `Date: ${date}\r\n`;
}
