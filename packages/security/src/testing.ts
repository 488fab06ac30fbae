import type { SecurityFlags } from './setup.js';

/** The error of a result, or 'taken' if it has none; for tables of tests. */
export const errorOf = (result: { readonly ok: boolean; readonly error?: unknown }): unknown =>
  result.ok ? 'taken' : result.error;

/** The flags of a daemon without authentication, authorization and rules. */
export const NO_SECURITY: SecurityFlags = {
  acls: undefined,
  authorizer: 'local',
  credentials: undefined,
  jwtSecretKey: undefined,
  firewallRules: undefined,
  trustedHosts: [],
  realms: {},
};
