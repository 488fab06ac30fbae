// The head of a plain call: a POST of HTTP/1.1 with a body of known length on a connection that stays open. Most calls
// of schedulers look so. Whatever is said in any other way is not for here: node:http reads that.
//
// Boundary: pure; what isn't a plain call is undefined, never an error.

import { type HeaderFields, parseHeaderLines } from './head-lines.js';

export interface CallHead {
  /** The request's target as it was sent. */
  readonly target: string;
  /** By name in lower case, each sent once. */
  readonly headers: HeaderFields;
  readonly bodyBytes: number;
}

const REQUEST_LINE = /^POST (\/[!-~]*) HTTP\/1\.1$/;
const LENGTH = /^\d{1,15}$/;
/** What changes how a request is read or how its connection goes on. */
const SPECIAL = ['transfer-encoding', 'content-encoding', 'expect', 'upgrade', 'te', 'trailer'] as const;

/** `text`: the head without its empty line. */
export function parseCallHead(text: string): CallHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const target = REQUEST_LINE.exec(first)?.[1];
  if (target === undefined) return undefined;
  const headers = parseHeaderLines(lines);
  if (headers === undefined) return undefined;
  const { connection = 'keep-alive', 'content-length': length = '' } = headers;
  if (SPECIAL.some((name) => headers[name] !== undefined)) return undefined;
  if (connection.toLowerCase() !== 'keep-alive' || !LENGTH.test(length)) return undefined;
  return { target, headers, bodyBytes: Number(length) };
}
