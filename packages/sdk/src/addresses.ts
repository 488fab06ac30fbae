import type { ClientOptions } from '@meseta/api';

/** For HTTP basic authentication. */
export interface Credential {
  readonly principal: string;
  readonly secret: string;
}

/** `10.0.0.1:5050`, `http://10.0.0.1:5050/` ... as the URL that paths are put behind. */
export function masterUrl(address: string): string {
  const url = /^https?:\/\//.test(address) ? address : `http://${address}`;
  return url.replace(/\/+$/, '');
}

export function clientOptions(address: string, credential: Credential | undefined): ClientOptions {
  const token = credential && btoa(`${credential.principal}:${credential.secret}`);
  return { address: masterUrl(address), ...(token !== undefined && { headers: { Authorization: `Basic ${token}` } }) };
}
