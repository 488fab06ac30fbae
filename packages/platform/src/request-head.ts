// The head of an HTTP request, for this process' own readers of libprocess messages and plain calls. There is one parser, as
// strict as node:http: whatever two readers could understand differently is left to node:http, which refuses it.
//
// Boundary: pure; what a request means is the reader's.
// REQUEST-HEAD-1: a head with a folded line, a bare CR or LF, another control character, a space before a colon, or a header
//     name that comes twice is read by no reader but node:http.
// REQUEST-HEAD-2: the end of a body is never ambiguous: one Content-Length in digits, or `Transfer-Encoding: chunked` by
//     HTTP/1.1, and never both.
import { LIMITS } from '@meseta/base';

/** Values by name in lower case, each header sent once. */
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
/** A token (RFC 9110, 5.6.2) and a value without control characters; no two parts of the pattern can take the same character. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\u0080-\u00ff]*)$/;
const LENGTH = /^\d{1,15}$/;

/** REQUEST-HEAD-1. `text` is the head without its empty line; undefined: node:http decides what it means. */
export function parseRequestHead(text: string): RequestHead | undefined {
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
    fields[key] = value.replace(/^[\t ]+/, '').trimEnd();
  }
  return fields;
}

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
