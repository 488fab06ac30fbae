// Answers of endpoint handlers: texts, refusals, JSON documents. Bodies over a kilobyte are compressed for clients that accept
// it, as in libprocess.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { createGzip, gzip } from 'node:zlib';
import { type EndpointDefinition, jsonWrapping, type Refusal, refusal, statusOf } from '@meseta/api';
import { createPieceCollector } from './piece-collector.js';

/** The parts of a request and its endpoint that an answer needs. */
export interface HttpExchange {
  readonly response: ServerResponse;
  readonly match: { readonly endpoint: EndpointDefinition };
  readonly query: URLSearchParams;
}

/** Whether the client certificate of the request's connection was verified. */
export const isCertified = ({ socket }: IncomingMessage): boolean => (socket as Partial<TLSSocket>).authorized === true;

export type Headers = Readonly<Record<string, string>>;

/** Shorter bodies are not compressed. */
export const MIN_GZIP_BYTES = 1024;

/** The fastest level, as the network is rarely the bottleneck. */
const GZIP_LEVEL = 1;

/** Whether a client accepts gzip: `Accept-Encoding` names it, or anything, with a weight above 0 (RFC 9110, 12.5.3). */
export function acceptsGzip({ headers }: IncomingMessage): boolean {
  const codings = new Map<string, boolean>();
  for (const part of String(headers['accept-encoding'] ?? '').split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    codings.set(coding, weight === undefined || Number(weight.slice(2)) > 0);
  }
  return codings.get('gzip') ?? codings.get('*') ?? false;
}

/** The headers of a compressed body of unknown length. */
export const GZIP_HEADERS: Headers = { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' };

export const createCompressor = () => createGzip({ level: GZIP_LEVEL });

/** Answers with a complete body. */
export function sendBody(response: ServerResponse, status: number, headers: Headers, body: Buffer): void {
  if (response.headersSent || response.destroyed) return;
  const { req } = response;
  const plain = (): void => {
    response.writeHead(status, { ...headers, 'Content-Length': body.length });
    response.end(body);
  };
  if (body.length < MIN_GZIP_BYTES || req.method === 'HEAD' || !acceptsGzip(req)) return plain();
  gzip(body, { level: GZIP_LEVEL }, (failure, packed) => {
    if (response.headersSent || response.destroyed) return;
    if (failure !== null) return plain();
    response.writeHead(status, { ...headers, ...GZIP_HEADERS, 'Content-Length': packed.length });
    response.end(packed);
  });
}

/** Encodes texts as one body. */
export function bytesOf(texts: Iterable<Iterable<string>>): Buffer {
  const collector = createPieceCollector();
  for (const text of texts) for (const piece of text) collector.add(piece);
  const { pieces, bytes } = collector.finish();
  const [only] = pieces;
  return pieces.length === 1 && only instanceof Buffer ? only : Buffer.concat(pieces, bytes);
}

/** Answers with a status and an optional text. */
export function sendText(response: ServerResponse, status: number, text = '', headers: Headers = {}): void {
  const body = Buffer.from(text);
  const type = body.length === 0 ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  sendBody(response, status, { ...type, ...headers }, body);
}

export const refuse = (response: ServerResponse, { code, text, headers }: Refusal): void =>
  sendText(response, statusOf(code), text, headers);

/** Answers with a JSON document, wrapped in the function that `?jsonp=` names if the endpoint supports it. */
export function sendJson({ response, match, query }: HttpExchange, document: string | Iterable<string>): void {
  const wrapping = jsonWrapping(match.endpoint.jsonp ? (query.get('jsonp') ?? undefined) : undefined);
  if (wrapping === undefined) {
    refuse(response, refusal('badRequest', "Parameter 'jsonp': expected the name of a function"));
    return;
  }
  const { before, after } = wrapping;
  const body =
    typeof document === 'string' ? Buffer.from(before + document + after) : bytesOf([[before], document, [after]]);
  sendBody(response, 200, { 'Content-Type': wrapping.contentType }, body);
}
