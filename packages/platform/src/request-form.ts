// Checks that node:http does not make, and the normal form of a request's target.
import type { IncomingMessage } from 'node:http';
import { LIMITS } from '@meseta/base';

export interface FormProblem {
  readonly status: 400 | 431 | 501;
  readonly text: string;
}

/** `http://host:port`, before a path. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;
const HOST = /^(?:[^@\s:[\]]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Turns a target in absolute form (`GET http://host:port/state`, as clients send it to a proxy) into origin form; its
 * authority replaces the Host header (RFC 9112, 3.2.2). Returns the problem of a request that other readers could
 * understand differently.
 */
export function normalizeRequest(request: IncomingMessage): FormProblem | undefined {
  const { headers, rawHeaders, httpVersion } = request;
  const lines = rawHeaders.length / 2;
  if (lines > LIMITS.requestHeaders.most) {
    return { status: 431, text: `Headers: expected at most ${LIMITS.requestHeaders.most} lines, got ${lines}` };
  }
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    return { status: 400, text: `Version: expected HTTP/1.1, got HTTP/${httpVersion}` };
  }
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    return { status: 501, text: "Header 'Transfer-Encoding': expected chunked and nothing else, by HTTP/1.1" };
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++;
  if (hosts > 1) return { status: 400, text: "Header 'Host': expected once" };
  return normalizeTarget(request);
}

function normalizeTarget(request: IncomingMessage): FormProblem | undefined {
  const target = request.url ?? '/';
  if (target.startsWith('/')) return undefined;
  const [origin, authority = ''] = ABSOLUTE.exec(target) ?? [];
  if (origin === undefined || !HOST.test(authority)) {
    return { status: 400, text: `Target: expected a path or http://host:port/path, got ${JSON.stringify(target)}` };
  }
  const rest = target.slice(origin.length);
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.headers.host = authority;
  return undefined;
}
