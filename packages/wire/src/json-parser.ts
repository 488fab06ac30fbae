// Parses JSON text. JSON.parse does it, unless the text holds an integer of 16 and more digits, which a
// number can't hold exactly: then the parser below keeps those as bigints.
import { err, ok, type Result } from '@meseta/base';

const LONG_INTEGER = /\d{16}/;
/** As deep as Mesos reads. */
const MAX_DEPTH = 200;

/** The value, or what was wrong with the text. Integers of 16 and more digits are bigints. */
export function parseExactJson(text: string): Result<unknown, string> {
  try {
    const value: unknown = JSON.parse(text);
    return ok(LONG_INTEGER.test(text) ? new ExactParser(text).value(0) : value);
  } catch (error) {
    if (error instanceof SyntaxError) return err(error.message);
    throw error;
  }
}

const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const STRING = /"[^"\\]*"/y;
const LITERALS: ReadonlyMap<string, unknown> = /* @__PURE__ */ new Map<string, unknown>([
  ['t', true],
  ['f', false],
  ['n', null],
]);

/** For text that JSON.parse has taken: it looks for ends, not for errors. */
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

  private string(): string {
    STRING.lastIndex = this.position;
    const plain = STRING.exec(this.text);
    if (plain !== null) {
      this.position += plain[0].length;
      return plain[0].slice(1, -1);
    }
    let end = this.position + 1;
    while (this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    const text = this.text.slice(this.position, end + 1);
    this.position = end + 1;
    return JSON.parse(text) as string;
  }

  private number(): number | bigint {
    NUMBER.lastIndex = this.position;
    const match = NUMBER.exec(this.text);
    if (match === null) throw new SyntaxError(`no number at ${this.position}`);
    this.position += match[0].length;
    const integer = match[1] === undefined && match[2] === undefined;
    return integer && match[0].length >= 16 ? BigInt(match[0]) : Number(match[0]);
  }

  /** The next character that is no space. */
  private next(): string {
    SPACE.lastIndex = this.position;
    SPACE.exec(this.text);
    this.position = SPACE.lastIndex;
    return this.text[this.position] ?? '';
  }
}

/** Sets an own property, whatever the key. */
export function setEntry<T>(record: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    record[key] = value;
  }
}
