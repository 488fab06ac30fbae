// Endpoints that an operator disabled (`--firewall_rules`: mesos.internal.Firewall as JSON).
//
// FIREWALL-1: a rule disables the endpoint that the router finds for its path, under every spelling and alias: a rule for
//     `/state` also covers `/master/state`, `/%73tate` and `/state/`. If the path of a rule is longer than the endpoint's
//     (`/quota/web`), the rule covers only paths that begin with the rest.
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

/** The result of the router for a path. */
export interface Routed {
  readonly endpoint: EndpointDefinition;
  /** The rest of the path after the endpoint's. */
  readonly rest: string;
}

/** The refusal of a disabled endpoint; undefined for others. */
export type Firewall = (routed: Routed) => Refusal | undefined;

export interface ParsedFirewall {
  readonly firewall: Firewall;
  readonly warnings: readonly string[];
}

const routers: { readonly [C in Component]: (path: string) => Routed | undefined } = {
  master: createRouter('master', masterEndpoints),
  agent: createRouter('agent', agentEndpoints),
};

/**
 * Parses mesos.internal.Firewall as JSON. The error names the field and the expected value; a rule that disables nothing
 * is a warning.
 */
export function parseFirewall(component: Component, text: string): Result<ParsedFirewall, string> {
  const rules = FirewallCodec.parse(text);
  if (!rules.ok) return err(renderWireError(rules.error));
  const paths = rules.value.disabled_endpoints?.paths ?? [];
  const warnings = paths.length === 0 ? ["field 'disabled_endpoints.paths' is empty: no endpoint is disabled"] : [];
  /** By the path of the endpoint: the beginnings of the rest that are disabled. */
  const disabled = new Map<string, string[]>();
  for (const path of paths) {
    if (!path.startsWith('/')) {
      return err(`field 'disabled_endpoints.paths': expected paths that start with /, got ${JSON.stringify(path)}`);
    }
    const routed = routers[component](path);
    if (routed === undefined) warnings.push(`${JSON.stringify(path)} is not an endpoint of this ${component}`);
    else disabled.set(routed.endpoint.path, [...(disabled.get(routed.endpoint.path) ?? []), routed.rest]);
  }
  const firewall: Firewall = ({ endpoint, rest }) =>
    disabled.get(endpoint.path)?.some((start) => start === '' || `${rest}/`.startsWith(`${start}/`)) === true
      ? refusal('forbidden', `Endpoint '${endpoint.path}' is disabled`)
      : undefined;
  return ok({ firewall, warnings });
}
