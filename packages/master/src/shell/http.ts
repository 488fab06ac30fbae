// Routes a request to its handler, after checks of the endpoint, the authentication, the leadership and the method.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRouter, type MasterEndpoint, type Method, masterEndpoints, methodsOf, refusal } from '@meseta/api';
import { answerText, isCertified, refuse } from '@meseta/platform/answers';
import { type HttpGate, SAFE_HEADERS } from '@meseta/security';
import type { Exchange } from './exchange.js';

export type Handler = (exchange: Exchange) => void | Promise<void>;
export type Handlers = { readonly [Name in MasterEndpoint]: Handler };

export interface HttpOptions {
  readonly handlers: Handlers;
  readonly gate: HttpGate;
  /** False until the master has recovered the registry. */
  isLeading(): boolean;
  /** A handler threw, which is a bug of the master. */
  onFailure(cause: unknown): void;
}

const route = createRouter('master', masterEndpoints);

export function createRequestHandler({ handlers, gate, isLeading, onFailure }: HttpOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
    const target = request.url ?? '/';
    const split = target.indexOf('?');
    const path = split < 0 ? target : target.slice(0, split);
    const match = route(path);
    if (match === undefined) {
      answerText(response, 404, `404 Not Found: no endpoint answers ${target}\n`);
      return;
    }
    const query = new URLSearchParams(split < 0 ? '' : target.slice(split + 1));
    const { headers } = request;
    // HEAD is handled as GET; the body is not sent.
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    const { endpoint, rest } = match;
    const arrived = { method, endpoint, rest, jsonp: query.has('jsonp'), certified: isCertified(request), headers };
    const admitted = gate.admit(arrived, Date.now());
    if (!admitted.ok) {
      refuse(response, admitted.error);
      return;
    }
    if (match.endpoint.leader && !isLeading()) {
      refuse(response, refusal('unavailable', 'The master has not finished its recovery'));
      return;
    }
    if (match.endpoint.methods[method as Method] === undefined) {
      const allowed = methodsOf(match.endpoint).join(', ');
      const text = `Method ${request.method}: expected ${allowed}`;
      refuse(response, refusal('methodNotAllowed', text, { Allow: allowed }));
      return;
    }
    const handled = handlers[match.name]({
      request,
      response,
      method: method as Method,
      match,
      query,
      principal: admitted.value?.value,
    });
    if (handled instanceof Promise) handled.catch(onFailure);
  };
}
