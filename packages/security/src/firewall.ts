// Endpoints that an operator has switched off (`--firewall_rules`: mesos.internal.Firewall as JSON).
import { type Refusal, refusal } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import { renderWireError } from '@meseta/wire';
import { FirewallCodec } from '@meseta/wire/codecs';

/** Why a request to the path (without query) is not answered; undefined if it may be. */
export type Firewall = (path: string) => Refusal | undefined;

export function parseFirewall(text: string): Result<Firewall, string> {
  const rules = FirewallCodec.parse(text);
  if (!rules.ok) return err(renderWireError(rules.error));
  const disabled = new Set(rules.value.disabled_endpoints?.paths ?? []);
  const wrong = [...disabled].find((path) => !path.startsWith('/'));
  if (wrong !== undefined) {
    return err(`field 'disabled_endpoints.paths': expected paths that begin with /, got ${JSON.stringify(wrong)}`);
  }
  return ok((path) =>
    disabled.has(path.length > 1 ? path.replace(/\/+$/, '') : path)
      ? refusal('forbidden', `Endpoint '${path}' is disabled`)
      : undefined,
  );
}
