// Passes a request that is admitted to its handler.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  createRouter,
  type EndpointDefinition,
  type MasterEndpoint,
  masterEndpoints,
  type Refusal,
  refusal,
} from '@meseta/api';
import { createAdmission } from '@meseta/platform/admission';
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
  const findUnavailable = ({ leader }: EndpointDefinition): Refusal | undefined =>
    leader && !isLeading() ? refusal('unavailable', 'The master has not finished its recovery') : undefined;
  const admit = createAdmission({ route, headers: SAFE_HEADERS, gate, findUnavailable });
  return (request: IncomingMessage, response: ServerResponse): void => {
    const admitted = admit(request, response);
    if (admitted === undefined) return;
    const handled = handlers[admitted.match.name]({ ...admitted, principal: admitted.principal?.value });
    if (handled instanceof Promise) handled.catch(onFailure);
  };
}
