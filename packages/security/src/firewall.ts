// Endpoints that an operator has switched off (`--firewall_rules`: mesos.internal.Firewall as JSON).
//
// FIREWALL-1: a rule switches off what the router finds for its path, under every spelling and alias that leads there:
//     a rule for `/state` holds for `/master/state`, `/%73tate` and `/state/`, too. What the path of a rule has behind the
//     endpoint's own (`/quota/web`) limits it to paths that begin so.
import {
  agentEndpoints,
  type Component,
  createRouter,
  type EndpointDefinition,
  masterEndpoints,
  type Refusal,
  refusal,
} from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import { renderWireError } from '@meseta/wire';
import { FirewallCodec } from '@meseta/wire/codecs';

/** What the router made of a path. */
export interface Routed {
  readonly endpoint: EndpointDefinition;
  /** What the path has behind the endpoint's own. */
  readonly rest: string;
}

/** Why the endpoint is not answered; undefined if it may be. */
export type Firewall = (routed: Routed) => Refusal | undefined;

export interface ParsedFirewall {
  readonly firewall: Firewall;
  readonly warnings: readonly string[];
}

const routers: { readonly [C in Component]: (path: string) => Routed | undefined } = {
  master: createRouter('master', masterEndpoints),
  agent: createRouter('agent', agentEndpoints),
};

export function parseFirewall(component: Component, text: string): Result<ParsedFirewall, string> {
  const rules = FirewallCodec.parse(text);
  if (!rules.ok) return err(renderWireError(rules.error));
  const paths = rules.value.disabled_endpoints?.paths ?? [];
  const warnings =
    paths.length === 0 ? ["names no path in 'disabled_endpoints.paths': no endpoint is switched off"] : [];
  /** By the path of the endpoint: the beginnings of what is behind it. */
  const disabled = new Map<string, string[]>();
  for (const path of paths) {
    if (!path.startsWith('/')) {
      return err(`field 'disabled_endpoints.paths': expected paths that begin with /, got ${JSON.stringify(path)}`);
    }
    const routed = routers[component](path);
    if (routed === undefined) warnings.push(`${JSON.stringify(path)} is no endpoint of this ${component}`);
    else disabled.set(routed.endpoint.path, [...(disabled.get(routed.endpoint.path) ?? []), routed.rest]);
  }
  const firewall: Firewall = ({ endpoint, rest }) =>
    disabled.get(endpoint.path)?.some((start) => start === '' || `${rest}/`.startsWith(`${start}/`)) === true
      ? refusal('forbidden', `Endpoint '${endpoint.path}' is disabled`)
      : undefined;
  return ok({ firewall, warnings });
}
