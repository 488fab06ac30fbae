// Credentials: principals and their secrets (Mesos: docs/authentication.md). A file of credentials has mesos.Credentials as
// JSON, or in Mesos' old format a principal and its secret on each line; the file of a client (an agent or a framework) has
// one mesos.Credential. No error, warning or log line quotes a file's content, as it could be a secret.
import { readFileSync, statSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';
import type { Credential } from '@meseta/wire';
import { CredentialCodec, CredentialsCodec } from '@meseta/wire/codecs';

/** Secrets by principal. A principal without a secret is not in it and cannot authenticate. */
export type Secrets = ReadonlyMap<string, string>;

export interface ClientCredential {
  readonly principal: string;
  readonly secret: string;
}

export interface CredentialsFile<T> {
  readonly value: T;
  /** For the operator. */
  readonly warnings: readonly string[];
}

type Codec<T> = { parse(text: string): Result<T, { readonly path: string; readonly expected: string }> };

/** The error leaves out `found`, which quotes the file. */
function parseJson<T>(text: string, codec: Codec<T>): Result<T, string> {
  const parsed = codec.parse(text);
  if (parsed.ok) return parsed;
  const { path, expected } = parsed.error;
  return err(path === '' ? `expected ${expected}` : `field '${path}': expected ${expected}`);
}

/** Lines with a principal and its secret, separated by white space. `#` does not start a comment, as in Mesos. */
function parseLines(text: string): Result<readonly Credential[], string> {
  const credentials: Credential[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const columns = line.split(/\s+/).filter((column) => column !== '');
    if (columns.length === 0) continue;
    const [principal, secret] = columns;
    if (columns.length !== 2 || principal === undefined || secret === undefined) {
      return err(`line ${index + 1}: expected a principal and its secret`);
    }
    credentials.push({ principal, secret });
  }
  return ok(credentials);
}

function secretsOf(credentials: readonly Credential[]): Result<CredentialsFile<Secrets>, string> {
  const secrets = new Map<string, string>();
  const warnings: string[] = [];
  for (const [index, { principal, secret }] of credentials.entries()) {
    const field = `credentials[${index}].principal`;
    if (principal === '') return err(`field '${field}': expected a name`);
    if (secrets.has(principal)) return err(`field '${field}': ${JSON.stringify(principal)} appears twice`);
    if (secret === undefined || secret === '') {
      warnings.push(`principal ${JSON.stringify(principal)} has no secret and cannot authenticate`);
    } else secrets.set(principal, secret);
  }
  return ok({ value: secrets, warnings });
}

/** The text of a file of credentials. The error names the field or the line. */
export function parseCredentials(text: string): Result<CredentialsFile<Secrets>, string> {
  if (text.trim() === '') return err('expected at least one credential');
  if (!/^\s*[{[]/.test(text)) {
    const lines = parseLines(text);
    return lines.ok ? secretsOf(lines.value) : lines;
  }
  const parsed = parseJson(text, CredentialsCodec);
  if (!parsed.ok) return parsed;
  const { credentials = [] } = parsed.value;
  return credentials.length === 0
    ? err("field 'credentials': expected at least one credential")
    : secretsOf(credentials);
}

/** The text of a client's file with one credential. The error names the field or the line. */
export function parseCredential(text: string): Result<ClientCredential, string> {
  if (/^\s*\{/.test(text)) {
    const parsed = parseJson(text, CredentialCodec);
    if (!parsed.ok) return parsed;
    const { principal, secret } = parsed.value;
    return secret === undefined || secret === '' ? err("field 'secret': expected a secret") : ok({ principal, secret });
  }
  const lines = parseLines(text);
  if (!lines.ok) return lines;
  const [own] = lines.value;
  if (own?.secret === undefined || lines.value.length !== 1) return err('expected one principal and its secret');
  return ok({ principal: own.principal, secret: own.secret });
}

/** `path` may be `file:///...`. As in Mesos, a file that all users can access gives only a warning. */
function readSecretFile<T>(
  path: string,
  parse: (bytes: Buffer) => Result<CredentialsFile<T>, string>,
): Result<CredentialsFile<T>, string> {
  const name = path.replace(/^file:\/\//, '');
  let bytes: Buffer;
  let mode: number;
  try {
    bytes = readFileSync(name);
    mode = statSync(name).mode;
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    // The flag may hold the secret itself by mistake, which must not appear in a log.
    const what = name.startsWith('/') ? name : 'the file; expected its absolute path';
    return err(`can't read ${what} (${code})`);
  }
  const parsed = parse(bytes);
  if (!parsed.ok) return err(`${name}: ${parsed.error}`);
  if ((mode & 0o007) === 0) return parsed;
  const warning = `all users can access ${name} (mode ${(mode & 0o777).toString(8)}): set its mode to 600`;
  return ok({ value: parsed.value.value, warnings: [warning, ...parsed.value.warnings] });
}

export const readCredentials = (path: string): Result<CredentialsFile<Secrets>, string> =>
  readSecretFile(path, (bytes) => parseCredentials(bytes.toString('utf8')));

export const readCredential = (path: string): Result<CredentialsFile<ClientCredential>, string> =>
  readSecretFile(path, (bytes) => {
    const parsed = parseCredential(bytes.toString('utf8'));
    return parsed.ok ? ok({ value: parsed.value, warnings: [] }) : parsed;
  });

/** The key that signs tokens (`--jwt_secret_key`): all bytes of the file, with a final newline, as in Mesos. */
export const readKey = (path: string): Result<CredentialsFile<Uint8Array>, string> =>
  readSecretFile(path, (bytes) => (bytes.length === 0 ? err('expected a key') : ok({ value: bytes, warnings: [] })));
