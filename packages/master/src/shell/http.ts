// Passes a request that is admitted to its handler.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  aliasOf,
  createRouter,
  type EndpointDefinition,
  type MasterEndpoint,
  masterEndpoints,
  type Refusal,
  refusal,
} from '@meseta/api';
import { createAdmission } from '@meseta/platform/admission';
import { type HttpGate, SAFE_HEADERS } from '@meseta/security';
import type { MasterInfo } from '@meseta/wire';
import type { ElectedMaster } from '@meseta/wire/leader-info';
import type { Exchange } from './exchange.js';

export type Handler = (exchange: Exchange) => void | Promise<void>;
export type Handlers = { readonly [Name in MasterEndpoint]: Handler };

export interface HttpOptions {
  readonly handlers: Handlers;
  readonly gate: HttpGate;
  /** This master. */
  readonly info: MasterInfo;
  /** False until the master has recovered the registry. */
  isLeading(): boolean;
  /** The elected master, which may be this one. */
  leader(): ElectedMaster | undefined;
  /** A handler threw, which is a bug of the master. */
  onFailure(cause: unknown): void;
}

const route = createRouter('master', masterEndpoints);

export function createRequestHandler({ handlers, gate, info, isLeading, leader, onFailure }: HttpOptions) {
  const findUnavailable = ({ leader: isForLeader }: EndpointDefinition, target: string): Refusal | undefined => {
    if (!isForLeader || isLeading()) return undefined;
    const elected = leader();
    if (elected === undefined) return refusal('unavailable', 'No leader elected');
    if (elected.info.id === info.id) return refusal('unavailable', 'The master has not finished its recovery');
    return redirection(elected, target);
  };
  const admit = createAdmission({ route, headers: SAFE_HEADERS, gate, findUnavailable });
  return (request: IncomingMessage, response: ServerResponse): void => {
    const admitted = admit(request, response);
    if (admitted === undefined) return;
    const handled = handlers[admitted.match.name]({ ...admitted, principal: admitted.principal?.value });
    if (handled instanceof Promise) handled.catch(onFailure);
  };
}

/** Mesos redirects to the same path below the leader's `/master`. */
function redirection({ authority }: ElectedMaster, target: string): Refusal {
  const prefix = target.startsWith(`${aliasOf.master}/`) ? '' : aliasOf.master;
  return refusal('redirected', '', { Location: `//${authority}${prefix}${target}` });
}
