// Turns flags into authentication, authorization and rate limits.
import { hostname } from 'node:os';
import { err, ok, type Result } from '@meseta/base';
import { type TlsConfig, tlsSettingsOf } from '@meseta/platform';
import {
  allows,
  createSecurity,
  type HttpGate,
  type Limits,
  principalOf,
  type Secrets,
  type Authorizer as SecurityAuthorizer,
  type SecurityFlags,
} from '@meseta/security';
import type { Authorizer } from '../core/options.js';
import type { MasterFlags } from './flags.js';

export interface PeerSecurity {
  /** Undefined without --credentials: no peer can authenticate. */
  readonly secrets: Secrets | undefined;
  readonly authenticateAgents: boolean;
  readonly authenticateFrameworks: boolean;
  readonly authenticationTimeoutMs: number;
  readonly limits: Limits | undefined;
  readonly maxAgentsPerAddress: number;
}

export interface MasterSecurity {
  readonly gate: HttpGate;
  readonly peers: PeerSecurity;
  readonly tls: TlsConfig | undefined;
  readonly warnings: readonly string[];
}

export interface SecurityError {
  readonly flag: string;
  readonly text: string;
}

/** The flag that each setting of `createSecurity` comes from. */
const FLAG_NAMES: { readonly [Name in keyof SecurityFlags]-?: string } = {
  acls: 'acls',
  authorizer: 'authorizers',
  credentials: 'credentials',
  jwtSecretKey: 'credentials',
  firewallRules: 'firewall_rules',
  rateLimits: 'rate_limits',
  trustedHosts: 'trusted_hosts',
  realms: 'http_authenticators',
};

const invalidFlag = (flag: string, text: string) => err<SecurityError>({ flag, text });

export function securityOf(
  flags: MasterFlags,
  ownName: string,
  env: NodeJS.ProcessEnv,
): Result<MasterSecurity, SecurityError> {
  if (flags.authenticators !== 'crammd5')
    return invalidFlag('authenticators', `expected crammd5, got ${flags.authenticators}`);
  const frameworks = flags.http_framework_authenticators;
  if (flags.authenticate_http_frameworks && frameworks === undefined) {
    return invalidFlag('http_framework_authenticators', 'is required with --authenticate_http_frameworks');
  }
  const made = createSecurity('master', {
    acls: flags.acls,
    authorizer: flags.authorizers,
    credentials: flags.credentials,
    jwtSecretKey: undefined,
    firewallRules: flags.firewall_rules,
    rateLimits: flags.rate_limits,
    trustedHosts: [ownName, hostname(), ...(flags.trusted_hosts ?? [])],
    realms: {
      readonly: flags.authenticate_http_readonly ? flags.http_authenticators : undefined,
      readwrite: flags.authenticate_http_readwrite ? flags.http_authenticators : undefined,
      scheduler: flags.authenticate_http_frameworks ? frameworks : undefined,
    },
  });
  if (!made.ok) return invalidFlag(FLAG_NAMES[made.error.flag], made.error.text);
  const tls = tlsSettingsOf(flags, env);
  if (!tls.ok) return invalidFlag(tls.error.setting, tls.error.message);
  return ok({
    gate: made.value.gate,
    peers: {
      secrets: made.value.secrets,
      authenticateAgents: flags.authenticate_agents,
      authenticateFrameworks: flags.authenticate_frameworks,
      authenticationTimeoutMs: flags.authentication_v0_timeout,
      limits: made.value.limits,
      maxAgentsPerAddress: flags.max_agents_per_address,
    },
    tls: tls.value.config,
    warnings: [...made.value.warnings, ...tls.value.warnings],
  });
}

/** The core's port for authorization, on top of the authorizer. */
export const coreAuthorizerOf =
  (authorizer: SecurityAuthorizer): Authorizer =>
  ({ action, principal, value }) =>
    action !== 'UNKNOWN' &&
    allows(
      authorizer.approverFor(principal === undefined ? undefined : principalOf(principal), action),
      value === undefined ? undefined : { value },
    );
