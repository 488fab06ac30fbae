// Makes the agent's security from its flags: authentication, authorization, TLS, and the agent's own credential.
import { hostname } from 'node:os';
import { err, ok, type Result } from '@meseta/base';
import { type TlsConfig, tlsSettingsOf } from '@meseta/platform';
import {
  type Authorizer,
  allows,
  type ClientCredential,
  createSecurity,
  type HttpGate,
  principalOf,
  readCredential,
  readKey,
  type SecurityFlags,
} from '@meseta/security';
import type { AgentOptions } from '../core/options.js';
import type { AgentFlags } from './flags.js';

export interface AgentSecurity {
  readonly gate: HttpGate;
  /** Of the agent at its master; undefined: the agent doesn't authenticate. */
  readonly credential: ClientCredential | undefined;
  /** Signs the tokens of executors; undefined: executors don't authenticate. */
  readonly executorKey: Uint8Array | undefined;
  readonly tls: TlsConfig | undefined;
  readonly warnings: readonly string[];
}

/** The agent's flag for each setting. */
const FLAG_NAMES: { readonly [Name in keyof SecurityFlags]-?: string } = {
  acls: 'acls',
  authorizer: 'authorizer',
  credentials: 'http_credentials',
  jwtSecretKey: 'jwt_secret_key',
  firewallRules: 'firewall_rules',
  rateLimits: 'rate_limits',
  trustedHosts: 'trusted_hosts',
  realms: 'http_authenticators',
};

/** Whether a framework, by its principal, may run tasks as a user here (`run_tasks` of the agent's own ACLs). */
export const createRunAsCheck =
  (authorizer: Authorizer): AgentOptions['mayRunAs'] =>
  (principal, user) =>
    allows(authorizer.approverFor(principal === undefined ? undefined : principalOf(principal), 'RUN_TASK'), {
      value: user,
    });

/** The error names the flag. */
export function securityOf(flags: AgentFlags, env: NodeJS.ProcessEnv): Result<AgentSecurity, string> {
  if (flags.authenticatee !== 'crammd5') return err(`--authenticatee: expected crammd5, got ${flags.authenticatee}`);
  if (flags.authenticate_http_executors && flags.jwt_secret_key === undefined) {
    return err('--jwt_secret_key: is required with --authenticate_http_executors');
  }
  const authenticators = flags.http_authenticators ?? (flags.authenticate_http_executors ? 'basic,jwt' : 'basic');
  // Executors have tokens. They may use passwords only where --http_credentials gives some out.
  const forExecutors = flags.http_authenticators ?? (flags.http_credentials === undefined ? 'jwt' : authenticators);
  const made = createSecurity('agent', {
    acls: flags.acls,
    authorizer: flags.authorizer,
    credentials: flags.http_credentials,
    jwtSecretKey: flags.jwt_secret_key,
    firewallRules: flags.firewall_rules,
    trustedHosts: [
      hostname(),
      ...(flags.hostname === undefined ? [] : [flags.hostname]),
      ...(flags.trusted_hosts ?? []),
    ],
    realms: {
      readonly: flags.authenticate_http_readonly ? authenticators : undefined,
      readwrite: flags.authenticate_http_readwrite ? authenticators : undefined,
      executor: flags.authenticate_http_executors ? forExecutors : undefined,
    },
  });
  if (!made.ok) return err(`--${FLAG_NAMES[made.error.flag]}: ${made.error.text}`);
  const credential = flags.credential === undefined ? undefined : readCredential(flags.credential);
  if (credential?.ok === false) return err(`--credential: ${credential.error}`);
  const key = flags.authenticate_http_executors ? readKey(flags.jwt_secret_key ?? '') : undefined;
  const tls = tlsSettingsOf(flags, env);
  if (!tls.ok) return err(`--${tls.error.message}`);
  return ok({
    gate: made.value.gate,
    credential: credential?.value.value,
    executorKey: key?.ok === true ? key.value.value : undefined,
    tls: tls.value.config,
    warnings: [...made.value.warnings, ...(credential?.value.warnings ?? []), ...tls.value.warnings],
  });
}

/** Which peers are checked: with a credential the master, with client certificates every peer. */
export const peerChecksOf = ({ credential, executorKey, tls }: AgentSecurity) => ({
  checksPeers: credential !== undefined || executorKey !== undefined || tls?.requireClientCert === true,
  executorsHaveTokens: executorKey !== undefined,
});
