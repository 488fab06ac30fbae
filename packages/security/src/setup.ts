// Builds the gate of a master's or an agent's HTTP endpoints from flags. The names are those of Mesos' flags.
import { readFileSync } from 'node:fs';
import type { Component } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import { parseAcls } from './acls.js';
import { createLocalAuthorizer, openAuthorizer } from './authorizer.js';
import { createBrowserGuard } from './browser-guard.js';
import { readCredentials, readKey, type Secrets } from './credentials.js';
import { parseFirewall } from './firewall.js';
import { createHttpAuthentication, type HttpAuthenticationOptions } from './http-authentication.js';
import { createHttpGate, type HttpGate } from './http-gate.js';
import { type Limits, parseRateLimits } from './rate-limits.js';

export interface SecurityFlags {
  readonly acls: string | undefined;
  /** `--authorizers` of a master, `--authorizer` of an agent. */
  readonly authorizer: string;
  /** `--credentials` of a master, `--http_credentials` of an agent: a path. */
  readonly credentials: string | undefined;
  /** A path. */
  readonly jwtSecretKey: string | undefined;
  readonly firewallRules: string | undefined;
  readonly rateLimits?: string | undefined;
  readonly trustedHosts: readonly string[];
  readonly realms: HttpAuthenticationOptions['realms'];
}

export interface Security {
  readonly gate: HttpGate;
  /** Undefined without a file of credentials. */
  readonly secrets: Secrets | undefined;
  /** `--rate_limits`. */
  readonly limits: Limits | undefined;
  /** For the operator: what the flags say that has no effect or is unsafe. */
  readonly warnings: readonly string[];
}

export interface SecurityProblem {
  readonly flag: keyof SecurityFlags;
  readonly text: string;
}

/** A flag with JSON may also be the absolute path of a file, as in Mesos. */
function parseText<T>(value: string, parse: (text: string) => Result<T, string>): Result<T, string> {
  if (!value.startsWith('/')) return parse(value);
  try {
    const parsed = parse(readFileSync(value, 'utf8'));
    return parsed.ok ? parsed : err(`${value}: ${parsed.error}`);
  } catch (cause) {
    return err(cause instanceof Error ? cause.message : String(cause));
  }
}

const wrong = (flag: SecurityProblem['flag'], text: string) => err<SecurityProblem>({ flag, text });

/** Reads the files that the flags name. The problem is that of the first flag with a wrong value. */
export function createSecurity(component: Component, flags: SecurityFlags): Result<Security, SecurityProblem> {
  if (flags.authorizer !== 'local') return wrong('authorizer', `expected local, got ${flags.authorizer}`);
  const credentials = flags.credentials === undefined ? undefined : readCredentials(flags.credentials);
  if (credentials?.ok === false) return wrong('credentials', credentials.error);
  const key = flags.jwtSecretKey === undefined ? undefined : readKey(flags.jwtSecretKey);
  if (key?.ok === false) return wrong('jwtSecretKey', key.error);
  const acls = flags.acls === undefined ? undefined : parseText(flags.acls, parseAcls);
  if (acls?.ok === false) return wrong('acls', acls.error);
  const firewall =
    flags.firewallRules === undefined
      ? undefined
      : parseText(flags.firewallRules, (text) => parseFirewall(component, text));
  if (firewall?.ok === false) return wrong('firewallRules', firewall.error);
  const limits = flags.rateLimits === undefined ? undefined : parseText(flags.rateLimits, parseRateLimits);
  if (limits?.ok === false) return wrong('rateLimits', limits.error);
  const secrets = credentials?.value.value;
  const jwtKey = key?.value.value;
  const authentication = createHttpAuthentication({ component, realms: flags.realms, secrets, jwtKey });
  if (!authentication.ok) return wrong('realms', authentication.error);
  const gate = createHttpGate({
    authentication: authentication.value,
    authorizer: acls === undefined ? openAuthorizer : createLocalAuthorizer(acls.value.acls),
    guard: createBrowserGuard({ trustedHosts: flags.trustedHosts }),
    firewall: firewall?.value.firewall,
  });
  const warnings = [credentials, key, acls, firewall].flatMap((it) => it?.value.warnings ?? []);
  return ok({ gate, secrets, limits: limits?.value, warnings });
}
