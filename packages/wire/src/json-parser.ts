// Parses JSON text with JSON.parse, unless the text has an integer of 16 or more digits, which a number may not represent
// exactly: the parser below gives bigints for those.
//
// Text from outside has limits. If it is long enough to exceed them, it is scanned before JSON.parse, because a nested list
// takes a hundred times the memory of its two characters.
import { err, LIMITS, ok, type Result } from '@meseta/base';
import type { Origin } from './codec.js';
import type { WireErrorCode } from './wire-error.js';

const LONG_INTEGER = /\d{16}/;
/** Mesos' limit. */
const MAX_DEPTH = LIMITS.jsonDepth.most;
/** The length of the longest 64-bit integer with its sign; longer ones need not be exact. */
const MAX_EXACT_LENGTH = 20;

export interface JsonProblem {
  readonly code: WireErrorCode;
  readonly expected: string;
  readonly found: string;
}

const limitProblem = (code: WireErrorCode, what: string): Result<never, JsonProblem> =>
  err({ code, expected: `JSON with at most ${what}`, found: 'more' });

/** Integers of 16 to 20 characters are bigints in the value. */
export function parseExactJson(text: string, origin: Origin = 'outside'): Result<unknown, JsonProblem> {
  if (origin === 'outside') {
    const over = checkLimits(text);
    if (over !== undefined) return over;
  }
  try {
    const value: unknown = JSON.parse(text);
    return ok(LONG_INTEGER.test(text) ? new ExactParser(text).value(0) : value);
  } catch (error) {
    if (error instanceof SyntaxError) return err({ code: 'malformed', expected: 'JSON', found: error.message });
    throw error;
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** `"":1,` */
const LEAST_FIELD_LENGTH = 5;

/** Scans the text once. It need not be JSON; the counts are right if it is. */
function checkLimits(text: string): Result<never, JsonProblem> | undefined {
  if (text.length > LIMITS.jsonText.most) return limitProblem('tooLarge', `${LIMITS.jsonText.most} bytes`);
  // Shorter text cannot exceed the limits of values and fields, and its readers check the depth.
  if (text.length <= LEAST_FIELD_LENGTH * LIMITS.jsonFields.most) return undefined;
  let elements = 0;
  let depth = 0;
  /** By depth: the number of commas so far in the open object or list. */
  const commas = new Uint32Array(MAX_DEPTH + 2);
  const isObject = new Uint8Array(MAX_DEPTH + 2);
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case COMMA: {
        elements++;
        const count = (commas[depth] as number) + 1;
        commas[depth] = count;
        if (isObject[depth] === 1 && count >= LIMITS.jsonFields.most) {
          return limitProblem('tooLarge', `${LIMITS.jsonFields.most} fields an object`);
        }
        break;
      }
      case OPEN_LIST:
      case OPEN_OBJECT:
        elements++;
        depth++;
        if (depth > MAX_DEPTH) return limitProblem('depth', `${MAX_DEPTH} levels of nesting`);
        commas[depth] = 0;
        isObject[depth] = text.charCodeAt(at) === OPEN_OBJECT ? 1 : 0;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        if (depth > 0) depth--;
        break;
    }
    if (elements > LIMITS.jsonElements.most) return limitProblem('tooLarge', `${LIMITS.jsonElements.most} values`);
  }
  return undefined;
}

/** The end of the string that begins at `start`, or of the text if the string does not end. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH && quote - 1 - backslashes >= from) backslashes++;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}

const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const LITERALS: ReadonlyMap<string, unknown> = /* @__PURE__ */ new Map<string, unknown>([
  ['t', true],
  ['f', false],
  ['n', null],
]);

/** For text that JSON.parse accepted, so that it need not check the syntax. */
class ExactParser {
  private position = 0;

  constructor(private readonly text: string) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxError(`nested more than ${MAX_DEPTH} levels deep`);
    const first = this.next();
    if (first === '{') return this.object(depth);
    if (first === '[') return this.array(depth);
    if (first === '"') return this.string();
    if (LITERALS.has(first)) {
      this.position += first === 'f' ? 5 : 4;
      return LITERALS.get(first);
    }
    return this.number();
  }

  private object(depth: number): unknown {
    const value: Record<string, unknown> = {};
    this.position++;
    while (this.next() !== '}') {
      if (this.text[this.position] === ',') {
        this.position++;
        this.next();
      }
      const key = this.string();
      this.next();
      this.position++;
      setEntry(value, key, this.value(depth + 1));
    }
    this.position++;
    return value;
  }

  private array(depth: number): unknown {
    const value: unknown[] = [];
    this.position++;
    while (this.next() !== ']') {
      if (this.text[this.position] === ',') this.position++;
      value.push(this.value(depth + 1));
    }
    this.position++;
    return value;
  }

  /** JSON.parse makes a string of its own; a slice of the text would keep all of the text in memory as long as it lives. */
  private string(): string {
    const end = endOfString(this.text, this.position) + 1;
    const text = this.text.slice(this.position, end);
    this.position = end;
    return JSON.parse(text) as string;
  }

  private number(): number | bigint {
    NUMBER.lastIndex = this.position;
    const match = NUMBER.exec(this.text);
    if (match === null) throw new SyntaxError(`no number at ${this.position}`);
    this.position += match[0].length;
    const integer = match[1] === undefined && match[2] === undefined;
    const isExact = integer && match[0].length >= 16 && match[0].length <= MAX_EXACT_LENGTH;
    return isExact ? BigInt(match[0]) : Number(match[0]);
  }

  /** The next character that is not white space. */
  private next(): string {
    SPACE.lastIndex = this.position;
    SPACE.exec(this.text);
    this.position = SPACE.lastIndex;
    return this.text[this.position] ?? '';
  }
}

/** Sets an own property with any key. */
export function setEntry<T>(record: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    record[key] = value;
  }
}
