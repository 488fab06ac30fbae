// The head of a fast-path call: a POST by HTTP/1.1 with a body of known length on a connection that stays open. Most calls of
// schedulers have this form; node:http reads every other request.
//
// Boundary: pure. The head of another request is undefined, never an error.
import { type HeaderFields, parseRequestHead } from './request-head.js';

export interface CallHead {
  /** The request's target as it was sent. */
  readonly target: string;
  /** Values by name in lower case, each header sent once. */
  readonly headers: HeaderFields;
  readonly bodyBytes: number;
}

/** Headers that change how a request is read or what follows on its connection. */
const SPECIAL = ['content-encoding', 'expect', 'upgrade', 'te', 'trailer'] as const;

/** `text`: the head without its empty line. */
export function parseCallHead(text: string): CallHead | undefined {
  const head = parseRequestHead(text);
  if (head?.method !== 'POST' || head.version !== '1.1' || head.framing.kind !== 'length') return undefined;
  const { target, headers, framing } = head;
  const { connection = 'keep-alive' } = headers;
  if (connection.toLowerCase() !== 'keep-alive' || SPECIAL.some((name) => headers[name] !== undefined))
    return undefined;
  return { target, headers, bodyBytes: framing.bytes };
}
