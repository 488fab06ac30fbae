// An HTTP request with its response.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MasterEndpoint, Match, Method } from '@meseta/api';
import type { BodyReader } from '@meseta/platform';
import { answerText } from '@meseta/platform/answers';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** GET for a HEAD request. */
  readonly method: Method;
  readonly match: Match<MasterEndpoint>;
  readonly query: URLSearchParams;
  /** The authenticated principal. */
  readonly principal: string | undefined;
}

export const header = ({ request }: Exchange, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
};

/** The body of the request; undefined if it could not be read, and then the request has been answered. */
export async function readBody(bodies: BodyReader, exchange: Exchange): Promise<Uint8Array | undefined> {
  const body = await bodies.read(exchange.request);
  if (body.ok) return body.value;
  answerText(exchange.response, body.error.status, body.error.message, { Connection: 'close' });
  return undefined;
}
