// The head of an HTTP request, for this process' own readers of libprocess messages and fast-path calls. They share one parser,
// which is as strict as node:http: a head that two readers could understand differently is left to node:http, which refuses
// it.
//
// Boundary: pure; the caller decides what a request means.
// REQUEST-HEAD-1: a head over the limit, or with a folded line, a bare CR or LF, another control character, a space before a
//     colon or a repeated header name is read by node:http only.
// REQUEST-HEAD-2: the end of a body is never ambiguous: one Content-Length in digits, or `Transfer-Encoding: chunked` by
//     HTTP/1.1, and never both.
import { LIMITS } from '@meseta/base';

const HEAD_END = Buffer.from('\r\n\r\n');
export const HEAD_END_BYTES = HEAD_END.length;
const LETTER_P = 'P'.charCodeAt(0);

/**
 * The index of the empty line that ends the head beginning at `at`; the first `searchedBytes` of it were searched before.
 * `foreign`: node:http reads it, as the method is not POST or the head is longer than `maxHeadBytes`.
 */
export function findHeadEnd(
  bytes: Buffer,
  at: number,
  searchedBytes: number,
  maxHeadBytes: number,
): number | 'incomplete' | 'foreign' {
  if (bytes[at] !== LETTER_P) return 'foreign';
  const end = bytes.indexOf(HEAD_END, at + Math.max(0, searchedBytes - HEAD_END_BYTES));
  if (end >= 0) return end;
  return bytes.length - at > maxHeadBytes ? 'foreign' : 'incomplete';
}

/** Values by name in lower case; each header was sent once. */
export interface HeaderFields {
  readonly [name: string]: string;
}

/** How a body ends. `none`: no header says so, which means an empty body. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'invalid'; readonly reason: string };

export interface RequestHead {
  readonly method: string;
  /** As it was sent: a path with an optional query. */
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderFields;
  readonly framing: BodyFraming;
  readonly keepAlive: boolean;
}

/** A target in origin form, without spaces and control characters. */
const REQUEST_LINE = /^([A-Z]+) (\/[!-~]*) HTTP\/(1\.[01])$/;
/** A token (RFC 9110, 5.6.2) and a value without control characters. No two parts match the same character: it takes linear time. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\u0080-\u00ff]*)$/;
const LENGTH = /^\d{1,15}$/;

/** `text` is the head without its empty line. Undefined: the request is left to node:http (REQUEST-HEAD-1). */
export function parseRequestHead(text: string): RequestHead | undefined {
  if (text.length > LIMITS.requestHead.most) return undefined;
  const [first = '', ...lines] = text.split('\r\n');
  const [, method, target, version] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined || version === undefined) return undefined;
  const headers = parseHeaderLines(lines);
  if (headers === undefined) return undefined;
  const connection = headers['connection']?.toLowerCase();
  return {
    method,
    target,
    version: version as RequestHead['version'],
    headers,
    framing: framingOf(headers, version),
    keepAlive: version === '1.1' ? connection !== 'close' : connection === 'keep-alive',
  };
}

export function parseHeaderLines(lines: readonly string[]): HeaderFields | undefined {
  if (lines.length > LIMITS.requestHeaders.most) return undefined;
  const fields: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    const key = name?.toLowerCase();
    if (key === undefined || value === undefined || fields[key] !== undefined) return undefined;
    fields[key] = trimBlanks(value);
  }
  return fields;
}

/** Only tabs and spaces surround a value (RFC 9110, 5.6.3); `trim` would also remove a no-break space (0xA0). */
function trimBlanks(value: string): string {
  let begin = 0;
  let end = value.length;
  while (begin < end && isBlank(value[begin])) begin++;
  while (end > begin && isBlank(value[end - 1])) end--;
  return value.slice(begin, end);
}

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t';

/** REQUEST-HEAD-2. */
function framingOf(headers: HeaderFields, version: string): BodyFraming {
  const { 'transfer-encoding': encoding, 'content-length': length } = headers;
  if (encoding !== undefined && length !== undefined) {
    return { kind: 'invalid', reason: 'expected Transfer-Encoding or Content-Length, got both' };
  }
  if (encoding !== undefined) {
    return encoding.toLowerCase() === 'chunked' && version === '1.1'
      ? { kind: 'chunked' }
      : { kind: 'invalid', reason: 'expected Transfer-Encoding: chunked by HTTP/1.1' };
  }
  if (length === undefined) return { kind: 'none' };
  return LENGTH.test(length)
    ? { kind: 'length', bytes: Number(length) }
    : { kind: 'invalid', reason: 'expected a Content-Length in digits' };
}
