// What a browser may be made to do. The endpoints know no cookies and no tokens against forgery, and often sit in a
// network that is trusted: any page that an operator opens could send requests there. The rules, on headers alone:
//
// GUARD-1: a page of another site changes nothing. A request that changes something and says where it comes from (`Origin`,
//     else `Sec-Fetch-Site`, else `Referer`) must come from this very host and port. Browsers always send one of them
//     with what changes things; programs (curl, CLIs, frameworks, agents) send none, and aren't asked.
// GUARD-2: a page of another site reads nothing, but for JSONP where Mesos has it (its web UI asks agents so, across
//     hosts): no answer allows cross-origin reading, and none is guessed to be a script (`nosniff`).
// GUARD-3: no page reaches this process under a name of its own (DNS rebinding). A browser's request names a host that is an
//     address, a trusted name, or a name that nobody outside can own (without dots, or under a domain kept for private
//     use); unless the realm asks who it is, as a browser keeps credentials by name.
// GUARD-4: a v1 call is JSON or protobuf, which a page of another site can't send unasked; other types are refused before
//     the body is read (415 by the call's own reader). CORS preflight requests are always denied.
// GUARD-5: JSONP is never answered with what credentials open: not in a realm that asks for them, not on a connection with
//     a client certificate, not to a request with `Authorization` or `Cookie`. A browser adds all of these by itself to
//     what a page of another site asks for, and JSONP is read by that page.
//
// Who opens endpoints to people should still switch authentication on: the JSONP of GUARD-2 shows everything that no realm
// guards.
import { isIP } from 'node:net';
import type { Access } from '@meseta/api';
import { type Refusal, refusal } from '@meseta/api';

export interface BrowserGuardOptions {
  /** Names of this machine and of what stands before it (`--trusted_hosts`), without ports. */
  readonly trustedHosts: readonly string[];
}

export interface GuardedRequest {
  readonly access: Access;
  /** The realm asks for credentials. */
  readonly authenticates: boolean;
  /** The answer would be JSON wrapped in a function's call. */
  readonly jsonp: boolean;
  /** Its connection has shown a client certificate. */
  readonly certified: boolean;
  /** By name in lower case, as node:http has them. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}

/** Headers of every answer: what is said is what it is, and it is shown in no frame of another site. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
};

const text = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];

/** `name:port` as it is compared: lower case, without the ports that a scheme implies. */
const authority = (host: string): string => host.toLowerCase().replace(/:(?:80|443)$/, '');

const hostName = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');

function hostOfUrl(url: string): string | undefined {
  try {
    return new URL(url).host;
  } catch {
    return undefined;
  }
}

/** RFC 6761, RFC 6762, RFC 8375, and ICANN's `.internal`: nobody can register a name under these. */
const PRIVATE_NAME = /^[^.]+$|\.(?:localhost|local|internal|test|home\.arpa)$/;

/** Where the request says that it comes from. */
function sourceOf(headers: GuardedRequest['headers'], host: string | undefined): 'same' | 'other' | 'unsaid' {
  const isHere = (url: string): boolean => {
    const from = hostOfUrl(url);
    return from !== undefined && host !== undefined && authority(from) === authority(host);
  };
  const origin = text(headers['origin']);
  if (origin !== undefined) return isHere(origin) ? 'same' : 'other';
  const site = text(headers['sec-fetch-site']);
  // `none`: typed by the person in front of the browser.
  if (site !== undefined) return site === 'same-origin' || site === 'none' ? 'same' : 'other';
  const referer = text(headers['referer']);
  if (referer !== undefined) return isHere(referer) ? 'same' : 'other';
  return 'unsaid';
}

/**
 * A page that reaches this host under a name of its own (GUARD-3) may set `User-Agent`, and where there is no TLS not every
 * browser says `Sec-Fetch-Site`; it can't keep the browser from naming the languages.
 */
const isBrowser = (headers: GuardedRequest['headers']): boolean =>
  headers['origin'] !== undefined ||
  headers['sec-fetch-mode'] !== undefined ||
  headers['sec-fetch-site'] !== undefined ||
  headers['accept-language'] !== undefined ||
  (text(headers['user-agent']) ?? '').startsWith('Mozilla/');

export interface BrowserGuard {
  /** Why the request is not answered; undefined if it may be. */
  check(request: GuardedRequest): Refusal | undefined;
}

export function createBrowserGuard({ trustedHosts }: BrowserGuardOptions): BrowserGuard {
  const trusted = new Set(trustedHosts.map((name) => hostName(name)));
  const isTrusted = (host: string): boolean => {
    const name = hostName(host);
    return isIP(name) !== 0 || PRIVATE_NAME.test(name) || trusted.has(name);
  };
  return {
    check({ access, authenticates, jsonp, certified, headers }) {
      const host = text(headers['host']);
      const credentials = headers['authorization'] !== undefined || headers['cookie'] !== undefined;
      if (jsonp && (authenticates || certified || credentials)) {
        return refusal('forbidden', "Parameter 'jsonp': not answered where there are credentials");
      }
      const source = sourceOf(headers, host);
      if (source === 'other' && access === 'changes') {
        return refusal('forbidden', 'A page of another site may change nothing here');
      }
      if (source === 'other' && !jsonp && headers['origin'] !== undefined) {
        return refusal('forbidden', 'A page of another site may read nothing here');
      }
      if (!authenticates && isBrowser(headers) && host !== undefined && !isTrusted(host)) {
        const what = `Header 'Host': ${JSON.stringify(host)} is no name of this machine; --trusted_hosts names more`;
        return refusal('forbidden', what);
      }
      return undefined;
    },
  };
}
