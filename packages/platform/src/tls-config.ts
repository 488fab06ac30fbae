// The settings LIBPROCESS_SSL_* (Mesos: docs/ssl.md), and the same as flags (`--ssl_cert_file`), which take precedence.
// `SSL_*`, the names before Mesos 1.0, apply where neither is given.
//
// Unlike in Mesos, TLS 1.3 is enabled by default, the default ciphers are OpenSSL's (Mesos' list contains RC4), and SSL 3
// cannot be enabled.
import { constants } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { err, ok, type Result } from '@meseta/base';
import { booleanFlag, type FlagValues, numberFlag, parseFlags, pathFlag, textFlag } from './flags.js';

export interface TlsConfig {
  /** Key, certificate, CAs, versions and ciphers for node:tls. */
  readonly context: SecureContextOptions;
  /** Plain text is accepted from clients, and used to peers without TLS. */
  readonly supportDowngrade: boolean;
  readonly verifyServerCert: boolean;
  readonly requireClientCert: boolean;
  readonly hostnameValidation: 'legacy' | 'openssl';
  /** A certificate may contain the peer's address instead of its name. */
  readonly verifyIpAddress: boolean;
  /** The number of certificates allowed between a peer's and a trusted one. */
  readonly verifyDepth: number;
}

export interface TlsConfigError {
  readonly code: 'badValue' | 'missing' | 'unreadable' | 'unusable';
  /** The variable's name without its prefix, e.g. `ssl_cert_file`. */
  readonly setting: string;
  readonly message: string;
}

export interface TlsSettings {
  /** Undefined: everything is plain text. */
  readonly config: TlsConfig | undefined;
  readonly warnings: readonly string[];
}

/** Without defaults, so that /flags shows only given flags. */
export const tlsFlags = {
  ssl_enabled: booleanFlag({
    help: 'Use TLS on every connection. Also LIBPROCESS_SSL_ENABLED, and likewise for the other ssl flags.',
  }),
  ssl_support_downgrade: booleanFlag({
    help: 'Accept and open connections without TLS too, for the migration of a cluster.',
  }),
  ssl_key_file: pathFlag({ help: 'The private key (PEM).' }),
  ssl_cert_file: pathFlag({ help: 'The certificate and the intermediate ones up to its CA (PEM).' }),
  ssl_ca_file: pathFlag({ help: 'The trusted CAs (PEM); without this and ssl_ca_dir the built-in ones.' }),
  ssl_ca_dir: pathFlag({ help: 'A directory with trusted CAs.' }),
  ssl_verify_server_cert: booleanFlag({ aliases: ['ssl_verify_cert'], help: 'Verify the certificates of servers.' }),
  ssl_require_client_cert: booleanFlag({
    aliases: ['ssl_require_cert'],
    help: 'Require and verify the certificates of clients.',
  }),
  ssl_verify_ipadd: booleanFlag({ help: "Accept the peer's address in its certificate instead of its name." }),
  ssl_verify_depth: numberFlag({
    help: 'The number of CAs allowed between a certificate and a trusted one (4 unless given).',
  }),
  ssl_hostname_validation_scheme: textFlag({ help: 'legacy (reverse look-up of the address) or openssl.' }),
  ssl_ciphers: textFlag({ help: "The ciphers in OpenSSL's format." }),
  ssl_ecdh_curves: textFlag({ aliases: ['ssl_ecdh_curve'], help: 'The curves (auto unless given).' }),
  ssl_enable_ssl_v3: booleanFlag({ help: 'Not supported.' }),
  ssl_enable_tls_v1_0: booleanFlag({ help: 'Allow TLS 1.0 (false unless given).' }),
  ssl_enable_tls_v1_1: booleanFlag({ help: 'Allow TLS 1.1 (false unless given).' }),
  ssl_enable_tls_v1_2: booleanFlag({ help: 'Allow TLS 1.2 (true unless given).' }),
  ssl_enable_tls_v1_3: booleanFlag({ help: 'Allow TLS 1.3 (true unless given).' }),
};

export type TlsFlags = FlagValues<typeof tlsFlags>;

const fail = (code: TlsConfigError['code'], setting: string, message: string) =>
  err<TlsConfigError>({ code, setting, message: `${setting}: ${message}` });

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

function read(setting: string, path: string): Result<Buffer, TlsConfigError> {
  try {
    return ok(readFileSync(path.replace(/^file:\/\//, '')));
  } catch (cause) {
    return fail('unreadable', setting, messageOf(cause));
  }
}

/** Every certificate in the directory; other files are ignored. */
function readDirectory(setting: string, path: string): Result<readonly Buffer[], TlsConfigError> {
  try {
    const files = readdirSync(path).map((name) => join(path, name));
    const bytes = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file));
    return ok(bytes.filter((it) => it.includes('-----BEGIN CERTIFICATE-----')));
  } catch (cause) {
    return fail('unreadable', setting, messageOf(cause));
  }
}

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const satisfies readonly SecureVersion[];
const NO_VERSION = [
  constants.SSL_OP_NO_TLSv1,
  constants.SSL_OP_NO_TLSv1_1,
  constants.SSL_OP_NO_TLSv1_2,
  constants.SSL_OP_NO_TLSv1_3,
];

function versionsOf(flags: TlsFlags): Result<SecureContextOptions, TlsConfigError> {
  if (flags.ssl_enable_ssl_v3) return fail('badValue', 'ssl_enable_ssl_v3', 'SSL 3 is broken and not supported');
  const on = [
    flags.ssl_enable_tls_v1_0 ?? false,
    flags.ssl_enable_tls_v1_1 ?? false,
    flags.ssl_enable_tls_v1_2 ?? true,
    flags.ssl_enable_tls_v1_3 ?? true,
  ];
  const minVersion = VERSIONS[on.indexOf(true)];
  const maxVersion = VERSIONS[on.lastIndexOf(true)];
  if (minVersion === undefined || maxVersion === undefined) {
    return fail('badValue', 'ssl_enable_tls_v1_2', 'expected at least one version of TLS to be enabled');
  }
  const off = NO_VERSION.reduce((bits, bit, index) => (on[index] ? bits : bits | bit), 0);
  return ok({ minVersion, maxVersion, secureOptions: off | constants.SSL_OP_CIPHER_SERVER_PREFERENCE });
}

function contextOf(flags: TlsFlags): Result<SecureContextOptions, TlsConfigError> {
  const { ssl_key_file, ssl_cert_file, ssl_ca_file, ssl_ca_dir } = flags;
  if (ssl_key_file === undefined) return fail('missing', 'ssl_key_file', 'is required with ssl_enabled');
  if (ssl_cert_file === undefined) return fail('missing', 'ssl_cert_file', 'is required with ssl_enabled');
  const key = read('ssl_key_file', ssl_key_file);
  if (!key.ok) return key;
  const cert = read('ssl_cert_file', ssl_cert_file);
  if (!cert.ok) return cert;
  const caFile = ssl_ca_file === undefined ? undefined : read('ssl_ca_file', ssl_ca_file);
  if (caFile?.ok === false) return caFile;
  const caDirectory = ssl_ca_dir === undefined ? undefined : readDirectory('ssl_ca_dir', ssl_ca_dir);
  if (caDirectory?.ok === false) return caDirectory;
  const ca = [...(caFile === undefined ? [] : [caFile.value]), ...(caDirectory?.value ?? [])];
  const versions = versionsOf(flags);
  if (!versions.ok) return versions;
  const options: SecureContextOptions = {
    key: key.value,
    cert: cert.value,
    ...(caFile === undefined && caDirectory === undefined ? {} : { ca }),
    ...versions.value,
    ...(flags.ssl_ciphers === undefined ? {} : { ciphers: flags.ssl_ciphers }),
    ecdhCurve: flags.ssl_ecdh_curves ?? 'auto',
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    return fail('unusable', 'ssl_cert_file', `key, certificate, CAs or ciphers can't be used: ${messageOf(cause)}`);
  }
  return ok(options);
}

const OLD_NAMES: Readonly<Record<string, string>> = {
  SSL_VERIFY_CERT: 'SSL_VERIFY_SERVER_CERT',
  SSL_REQUIRE_CERT: 'SSL_REQUIRE_CLIENT_CERT',
};
const isOn = (text: string | undefined): boolean => text === 'true' || text === '1';

/** Flags over LIBPROCESS_SSL_* over SSL_*; a setting enabled under its old name is enabled. */
function settingsOf(given: TlsFlags, env: Readonly<Record<string, string | undefined>>) {
  const variables: Record<string, string> = {};
  for (const prefix of ['SSL_', 'LIBPROCESS_SSL_']) {
    for (const [name, value] of Object.entries(env)) {
      if (name.startsWith(prefix) && value !== undefined) variables[`SSL_${name.slice(prefix.length)}`] = value;
    }
  }
  for (const [old, now] of Object.entries(OLD_NAMES)) {
    const value = variables[old];
    delete variables[old];
    if (value !== undefined && !isOn(variables[now])) variables[now] = value;
  }
  const parsed = parseFlags(tlsFlags, { argv: [], env: variables, prefix: '', readFile: (path) => path });
  if (!parsed.ok) return parsed;
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return ok({ ...parsed.value.values, ...Object.fromEntries(set) } as TlsFlags);
}

/** Warns of settings that have no effect while TLS is off. */
const withoutEffect = ({ ssl_require_client_cert, ssl_verify_server_cert }: TlsFlags): readonly string[] =>
  ssl_require_client_cert === true || ssl_verify_server_cert === true
    ? ['certificates are required, but ssl_enabled is off: connections are plain text, and no certificate is verified']
    : [];

export function tlsSettingsOf(
  given: TlsFlags,
  env: Readonly<Record<string, string | undefined>>,
): Result<TlsSettings, TlsConfigError> {
  const settings = settingsOf(given, env);
  if (!settings.ok) return fail('badValue', settings.error.flag, settings.error.message);
  const flags = settings.value;
  if (flags.ssl_enabled !== true) return ok({ config: undefined, warnings: withoutEffect(flags) });
  const scheme = flags.ssl_hostname_validation_scheme ?? 'legacy';
  if (scheme !== 'legacy' && scheme !== 'openssl') {
    return fail('badValue', 'ssl_hostname_validation_scheme', `expected legacy or openssl, got ${scheme}`);
  }
  const context = contextOf(flags);
  if (!context.ok) return context;
  const requireClientCert = flags.ssl_require_client_cert ?? false;
  const verifyServerCert = requireClientCert || (flags.ssl_verify_server_cert ?? false);
  const supportDowngrade = flags.ssl_support_downgrade ?? false;
  const warnings = supportDowngrade ? ['ssl_support_downgrade is on: connections without TLS are accepted'] : [];
  if (verifyServerCert && flags.ssl_ca_file === undefined && flags.ssl_ca_dir === undefined) {
    warnings.push('certificates of any public CA are accepted: give the trusted CAs in ssl_ca_file or ssl_ca_dir');
  }
  if (supportDowngrade && verifyServerCert) {
    warnings.push('certificates are verified, but with ssl_support_downgrade peers can connect without one');
  }
  return ok({
    config: {
      context: context.value,
      supportDowngrade,
      verifyServerCert,
      requireClientCert,
      hostnameValidation: scheme,
      verifyIpAddress: flags.ssl_verify_ipadd ?? false,
      verifyDepth: flags.ssl_verify_depth ?? 4,
    },
    warnings,
  });
}
