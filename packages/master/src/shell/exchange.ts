// One HTTP request and what answers it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MasterEndpoint, Match, Method } from '@meseta/api';

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
