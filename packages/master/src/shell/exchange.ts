// One HTTP request and what answers it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  jsonWrapping,
  type MasterEndpoint,
  type Match,
  type Method,
  type Refusal,
  refusal,
  statusOf,
} from '@meseta/api';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** GET for a HEAD request. */
  readonly method: Method;
  readonly match: Match<MasterEndpoint>;
  readonly query: URLSearchParams;
  /** Who asks, as authenticated. */
  readonly principal: string | undefined;
}

export const header = ({ request }: Exchange, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
};

/** A status with a text, or with nothing. */
export function answerText(
  response: ServerResponse,
  status: number,
  text = '',
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(text);
  const type = body.length === 0 ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  response.writeHead(status, { ...type, ...headers, 'Content-Length': body.length });
  response.end(body);
}

export const refuse = (response: ServerResponse, { code, text, headers }: Refusal): void =>
  answerText(response, statusOf(code), text, headers);

/** A JSON document that is at hand, in the function that `?jsonp=` names if the endpoint has that. */
export function answerJson({ response, match, query }: Exchange, document: string): void {
  const wrapping = jsonWrapping(match.endpoint.jsonp ? (query.get('jsonp') ?? undefined) : undefined);
  if (wrapping === undefined) {
    refuse(response, refusal('badRequest', "Parameter 'jsonp': expected the name of a function"));
    return;
  }
  const body = Buffer.from(wrapping.before + document + wrapping.after);
  response.writeHead(200, { 'Content-Type': wrapping.contentType, 'Content-Length': body.length });
  response.end(body);
}
