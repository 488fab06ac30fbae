// Protects the endpoints from pages in an operator's browser. The endpoints have no cookies and no tokens against request
// forgery, and are often in a trusted network, so any page that an operator opens could send them requests. The rules
// depend on headers only:
//
// GUARD-1: a page of another site changes nothing. If a request that changes state has a source (`Origin`, else
//     `Sec-Fetch-Site`, else `Referer`), the source must be this host and port. Browsers always send one of these headers
//     with such requests; programs (curl, CLIs, frameworks, agents) send none and are not restricted.
// GUARD-2: a page of another site reads nothing, except by JSONP at the endpoints where Mesos has it (Mesos' web UI reads
//     from agents on other hosts this way): no response allows cross-origin reading, and browsers may not guess that a
//     response is a script (`nosniff`).
// GUARD-3: no page reaches this process by DNS rebinding. A browser's request must name a host that is an address, a trusted
//     name, or a name that cannot be registered (without dots, or under a domain for private use). Realms with
//     authentication are exempt, as a browser keeps credentials by host name.
// GUARD-4: a v1 call is JSON or protobuf, which a page of another site can send only after a CORS preflight request; other
//     types are refused before the body is read (415 by the reader of the call). CORS preflight requests are always denied.
// GUARD-5: JSONP never returns data that needs credentials: it is refused in a realm with authentication, on a connection
//     with a client certificate, and for a request with `Authorization` or `Cookie`. A browser adds all of these by itself
//     to the request of another site's page, and that page reads the response.
//
// Endpoints that browsers use should still have authentication: JSONP (GUARD-2) shows everything in realms without it.
import { isIP } from 'node:net';
import { type Access, type Refusal, refusal } from '@meseta/api';

export interface BrowserGuardOptions {
  /** Names of this machine and of proxies in front of it (`--trusted_hosts`), without ports. */
  readonly trustedHosts: readonly string[];
}

export interface GuardedRequest {
  readonly access: Access;
  /** The realm of the endpoint has authentication. */
  readonly authenticates: boolean;
  /** The response would be JSON in a function call. */
  readonly jsonp: boolean;
  /** The connection has a verified client certificate. */
  readonly certified: boolean;
  /** By name in lower case, as node:http has them. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}

/** Headers of every response: the declared type is final, and pages of other sites cannot show it in a frame. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
};

const text = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];

/** `name:port` for comparison: in lower case, without the default port of a scheme. */
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

/** RFC 6761, RFC 6762, RFC 8375, and ICANN's `.internal`: names under these domains cannot be registered. */
const PRIVATE_NAME = /^[^.]+$|\.(?:localhost|local|internal|test|home\.arpa)$/;

/** The source of the request by its headers. */
function sourceOf(headers: GuardedRequest['headers'], host: string | undefined): 'same' | 'other' | 'unknown' {
  const isHere = (url: string): boolean => {
    const from = hostOfUrl(url);
    return from !== undefined && host !== undefined && authority(from) === authority(host);
  };
  const origin = text(headers['origin']);
  if (origin !== undefined) return isHere(origin) ? 'same' : 'other';
  const site = text(headers['sec-fetch-site']);
  // `none`: the user typed the address.
  if (site !== undefined) return site === 'same-origin' || site === 'none' ? 'same' : 'other';
  const referer = text(headers['referer']);
  if (referer !== undefined) return isHere(referer) ? 'same' : 'other';
  return 'unknown';
}

/**
 * A page that uses DNS rebinding (GUARD-3) can set `User-Agent`, and without TLS some browsers do not send
 * `Sec-Fetch-Site`; but no page can remove `Accept-Language`.
 */
const isBrowser = (headers: GuardedRequest['headers']): boolean =>
  headers['origin'] !== undefined ||
  headers['sec-fetch-mode'] !== undefined ||
  headers['sec-fetch-site'] !== undefined ||
  headers['accept-language'] !== undefined ||
  (text(headers['user-agent']) ?? '').startsWith('Mozilla/');

export interface BrowserGuard {
  /** The refusal of the request; undefined if it is allowed. */
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
        return refusal('forbidden', "Parameter 'jsonp': not allowed with credentials");
      }
      const source = sourceOf(headers, host);
      if (source === 'other' && access === 'changes') {
        return refusal('forbidden', 'A page of another site may not change anything here');
      }
      if (source === 'other' && !jsonp && headers['origin'] !== undefined) {
        return refusal('forbidden', 'A page of another site may not read anything here');
      }
      if (!authenticates && isBrowser(headers) && host !== undefined && !isTrusted(host)) {
        const what = `Header 'Host': ${JSON.stringify(host)} is not a name of this machine; add it to --trusted_hosts if it is`;
        return refusal('forbidden', what);
      }
      return undefined;
    },
  };
}
