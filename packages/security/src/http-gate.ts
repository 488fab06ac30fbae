// The checks of an HTTP request before its endpoint handles it, in Mesos' order: firewall, browser guard, authentication,
// and authorization of the endpoint.
import { type ArrivedRequest, type Method, type Refusal, refusal } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import { type Authorizer, allows } from './authorizer.js';
import type { BrowserGuard } from './browser-guard.js';
import type { Firewall } from './firewall.js';
import type { HttpAuthentication } from './http-authentication.js';
import { type Principal, principalText } from './principal.js';

export interface HttpGate {
  readonly authorizer: Authorizer;
  /**
   * The principal of the request, undefined in a realm without authentication; or the refusal of the first check that fails.
   * `nowMs`: milliseconds since the epoch, for the expiry of tokens.
   */
  admit(request: ArrivedRequest, nowMs: number): Result<Principal | undefined, Refusal>;
}

export interface HttpGateOptions {
  readonly authentication: HttpAuthentication;
  readonly authorizer: Authorizer;
  readonly guard: BrowserGuard;
  readonly firewall: Firewall | undefined;
}

/** The refusal of an action: `what` completes `alice may not`. */
export const forbidden = (principal: Principal | undefined, what: string): Refusal =>
  refusal(
    'forbidden',
    `${principal === undefined ? 'A request without authentication' : principalText(principal)} may not ${what}`,
  );

export function createHttpGate({ authentication, authorizer, guard, firewall }: HttpGateOptions): HttpGate {
  return {
    authorizer,
    admit({ method, endpoint, rest, jsonp, certified, headers }, nowMs) {
      const disabled = firewall?.({ endpoint, rest });
      if (disabled !== undefined) return err(disabled);
      const unsafe = guard.check({
        access: endpoint.methods[method as Method] ?? 'reads',
        authenticates: authentication.guards(endpoint.realm),
        jsonp: jsonp && endpoint.jsonp === true,
        certified,
        headers,
      });
      if (unsafe !== undefined) return err(unsafe);
      const { authorization } = headers;
      const header = typeof authorization === 'string' ? authorization : authorization?.[0];
      const principal = authentication.authenticate(endpoint.realm, header, nowMs);
      if (!principal.ok || endpoint.action === undefined) return principal;
      const approver = authorizer.approverFor(principal.value, endpoint.action);
      const object = endpoint.action === 'GET_ENDPOINT_WITH_PATH' ? { value: endpoint.path } : undefined;
      return allows(approver, object) ? ok(principal.value) : err(forbidden(principal.value, `ask ${endpoint.path}`));
    },
  };
}
