// JSON Web Tokens signed with HS256 (RFC 7519, RFC 7515): the only kind that Mesos' "jwt" authenticator accepts and that an
// agent gives its executors. One algorithm and one claim (`exp`) need no library.
import { createHmac } from 'node:crypto';
import { err, ok, type Result } from '@meseta/base';
import { sameSecret } from './secrets.js';

export type Claims = Readonly<Record<string, unknown>>;

const BASE64_URL = /^[A-Za-z0-9_-]*={0,2}$/;

function jsonOf(part: string, what: string): Result<Claims, string> {
  if (!BASE64_URL.test(part)) return err(`the ${what} is not base64url`);
  try {
    const json: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return ok(json as Claims);
  } catch {
    // The error below replaces the parser's, which quotes the token.
  }
  return err(`the ${what} is not a JSON object`);
}

const signatureOf = (signed: string, key: Uint8Array): Buffer => createHmac('sha256', key).update(signed).digest();

/**
 * The claims of a token that was signed with `key` and whose `exp` (seconds since the epoch) has not passed. The error says
 * what is wrong and quotes nothing of the token.
 */
export function readToken(token: string, key: Uint8Array, nowMs: number): Result<Claims, string> {
  const parts = token.split('.');
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3) return err('expected three parts separated by dots');
  const header = jsonOf(head, 'header');
  if (!header.ok) return header;
  const { alg, typ, crit } = header.value;
  if (alg !== 'HS256') return err("'alg': expected HS256");
  if (typ !== undefined && typeof typ !== 'string') return err("'typ': expected a string");
  if (crit !== undefined) return err("'crit' is not supported");
  // The signature is checked before any claim.
  if (
    !BASE64_URL.test(signature) ||
    !sameSecret(Buffer.from(signature, 'base64url'), signatureOf(`${head}.${body}`, key))
  )
    return err('the signature does not match');
  const claims = jsonOf(body, 'payload');
  if (!claims.ok) return claims;
  const { exp } = claims.value;
  if (exp !== undefined && typeof exp !== 'number') return err("'exp': expected a number");
  if (exp !== undefined && exp < Math.floor(nowMs / 1000)) return err('the token has expired');
  return claims;
}

const encode = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url');

/** The token with these claims, signed with `key`. */
export function makeToken(claims: Claims, key: Uint8Array): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${signatureOf(signed, key).toString('base64url')}`;
}
