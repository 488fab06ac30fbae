// From a request to its handler: the endpoint, who asks, who leads, the method. The handlers' own checks come after these.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRouter, type MasterEndpoint, type Method, masterEndpoints, methodsOf, refusal } from '@meseta/api';
import { answerText, isCertified, refuse } from '@meseta/platform/answers';
import { type HttpGate, SAFE_HEADERS } from '@meseta/security';
import type { Exchange } from './exchange.js';

export type Handler = (exchange: Exchange) => void | Promise<void>;
export type Handlers = { readonly [Name in MasterEndpoint]: Handler };

/** Whether this master answers for the cluster: it does, it is about to, another does, or nobody. */
export type Standing =
  | { readonly kind: 'leading' }
  | { readonly kind: 'recovering' }
  | { readonly kind: 'following'; readonly leader: { readonly hostname: string; readonly port: number } }
  | { readonly kind: 'leaderless' };

export interface HttpOptions {
  readonly handlers: Handlers;
  readonly gate: HttpGate;
  standing(): Standing;
  /** A handler that broke: the master's own fault. */
  onFailure(cause: unknown): void;
}

const route = createRouter('master', masterEndpoints);

export function createRequestHandler({ handlers, gate, standing, onFailure }: HttpOptions) {
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
    // Answered as a GET whose body is left out.
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    const { endpoint, rest } = match;
    const arrived = { method, endpoint, rest, jsonp: query.has('jsonp'), certified: isCertified(request), headers };
    const admitted = gate.admit(arrived, Date.now());
    if (!admitted.ok) {
      refuse(response, admitted.error);
      return;
    }
    if (match.endpoint.leader && !answersForCluster(standing(), target, response)) return;
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

/** False if the request was sent on or put off. A redirect keeps the path behind the component's name, and the query. */
function answersForCluster(standing: Standing, target: string, response: ServerResponse): boolean {
  switch (standing.kind) {
    case 'leading':
      return true;
    case 'recovering':
      refuse(response, refusal('unavailable', 'The master has not finished its recovery'));
      return false;
    case 'leaderless':
      refuse(response, refusal('unavailable', 'No master leads'));
      return false;
    case 'following': {
      const behind = target.startsWith('/master/') ? target : `/master${target}`;
      redirectTo(standing.leader, behind, response);
      return false;
    }
  }
}

export function redirectTo(
  leader: { readonly hostname: string; readonly port: number },
  path: string,
  response: ServerResponse,
): void {
  answerText(response, 307, '', { Location: `//${leader.hostname}:${leader.port}${path}` });
}
