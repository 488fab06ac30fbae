import type { ClientOptions } from '@meseta/api';
import { withoutTrailing } from '@meseta/base';

/** For HTTP basic authentication. */
export interface Credential {
  readonly principal: string;
  readonly secret: string;
}

/** The URL, without a final slash, of `10.0.0.1:5050` or `http://10.0.0.1:5050/`. */
export function baseUrlOf(address: string): string {
  const url = /^https?:\/\//.test(address) ? address : `http://${address}`;
  return withoutTrailing(url, '/');
}

/** The header of HTTP basic authentication; no header without a credential. */
export function authorizationOf(credential: Credential | undefined): Readonly<Record<string, string>> {
  if (credential === undefined) return {};
  const bytes = new TextEncoder().encode(`${credential.principal}:${credential.secret}`);
  // Neither Buffer, which browsers lack, nor the bytes as arguments, which a long secret would make too many of.
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return { Authorization: `Basic ${btoa(latin1)}` };
}

/** The options of a client of the API binding. An address that is a function is called to find the leading master. */
export const clientOptions = (
  address: ClientOptions['address'],
  credential: Credential | undefined,
  leaderWait?: ClientOptions['leaderWait'],
): ClientOptions => ({
  address: typeof address === 'string' ? baseUrlOf(address) : address,
  headers: authorizationOf(credential),
  ...(leaderWait !== undefined && { leaderWait }),
});
