// Checks an HTTP request before its handler gets it: endpoint, authentication, authorization, availability, method. A request
// that fails a check is answered here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ArrivedRequest,
  type EndpointDefinition,
  type Match,
  type Method,
  methodsOf,
  type Refusal,
  type Router,
  refusal,
} from '@meseta/api';
import type { Result } from '@meseta/base';
import { isCertified, refuse, sendText } from './responses.js';

/** A request that passed the checks, with its response. */
export interface AdmittedRequest<Name extends string, Principal> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** GET for a HEAD request: the response's body is not sent. */
  readonly method: Method;
  readonly match: Match<Name>;
  readonly query: URLSearchParams;
  /** As authenticated. */
  readonly principal: Principal | undefined;
}

export interface AdmissionOptions<Name extends string, Principal> {
  readonly route: Router<Name>;
  /** The headers of every response. */
  readonly headers: Readonly<Record<string, string>>;
  /** Authenticates and authorizes. */
  readonly gate: { admit(request: ArrivedRequest, nowMs: number): Result<Principal | undefined, Refusal> };
  /** Why this process can't serve the endpoint now; `target` is the path and query of the request. */
  findUnavailable?(endpoint: EndpointDefinition, target: string): Refusal | undefined;
}

/** Returns a function that admits requests. It returns undefined for a request that it has refused. */
export function createAdmission<Name extends string, Principal>({
  route,
  headers,
  gate,
  findUnavailable = () => undefined,
}: AdmissionOptions<Name, Principal>) {
  return (request: IncomingMessage, response: ServerResponse): AdmittedRequest<Name, Principal> | undefined => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const target = request.url ?? '/';
    const split = target.indexOf('?');
    const match = route(split < 0 ? target : target.slice(0, split));
    if (match === undefined) {
      sendText(response, 404, `404 Not Found: no endpoint answers ${target}\n`);
      return undefined;
    }
    const query = new URLSearchParams(split < 0 ? '' : target.slice(split + 1));
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    const { endpoint, rest } = match;
    const certified = isCertified(request);
    const arrived = { method, endpoint, rest, jsonp: query.has('jsonp'), certified, headers: request.headers };
    const admitted = gate.admit(arrived, Date.now());
    if (!admitted.ok) {
      refuse(response, admitted.error);
      return undefined;
    }
    const refused = findUnavailable(endpoint, target) ?? findWrongMethod(endpoint, method, request.method);
    if (refused !== undefined) {
      refuse(response, refused);
      return undefined;
    }
    return { request, response, method: method as Method, match, query, principal: admitted.value };
  };
}

function findWrongMethod(endpoint: EndpointDefinition, method: string, given: string | undefined): Refusal | undefined {
  if (endpoint.methods[method as Method] !== undefined) return undefined;
  const allowed = methodsOf(endpoint).join(', ');
  return refusal('methodNotAllowed', `Method ${given}: expected ${allowed}`, { Allow: allowed });
}
