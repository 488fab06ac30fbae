// A client of image registries (OCI distribution specification; Docker's registry API, version 2).
//
// Boundary: every answer comes from outside. Documents and redirects are limited, content is verified by digest where one is
// known.
// IMAGE-REGISTRY-1: credentials go to the registry, and to the token service that it names, over TLS if the registry uses TLS.
// IMAGE-REGISTRY-2: tokens are asked for with the scope to pull this repository, whatever scope the registry names, and are in no
//   error and no log line.
// IMAGE-REGISTRY-3: an attempt that may succeed later is repeated, at most ATTEMPTS times in all, with growing pauses.
import { createHash } from 'node:crypto';
import {
  type AbortSignalLike,
  backoffPauseMs,
  type Clock,
  err,
  type HttpResponse,
  LIMITS,
  type Outbound,
  ok,
  type Random,
  type Result,
  type SystemError,
  type SystemResult,
} from '@meseta/base';
import { type Credentials, isDockerHub, registryHost } from './credentials.js';
import { type Descriptor, isFields, MAX_DOCUMENT_BYTES, parseObject } from './manifests.js';
import type { ImageReference } from './references.js';

export interface RegistryPorts {
  readonly outbound: Outbound;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly random: Random;
  /** `--docker_stall_timeout` */
  readonly stallTimeoutMs: number;
}

/** Where an image is. */
export interface Endpoint {
  /** `https://host:port` */
  readonly origin: string;
  readonly repository: string;
  /** For the credentials. */
  readonly host: string;
}

/** One pull of one image. */
export interface RegistrySession {
  /** A manifest or an index by tag or digest. */
  manifest(reference: string): Promise<Result<Uint8Array, string>>;
  /** A small blob. */
  document(descriptor: Descriptor): Promise<Result<Uint8Array, string>>;
  /** Writes a blob into a new file. */
  blob(descriptor: Descriptor, path: string): Promise<Result<void, string>>;
}

const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const ATTEMPTS = 5;
const PAUSES = { firstMs: 1000, longestMs: 15_000 };
const DOCUMENT_TIMEOUT_MS = 60_000;
const MAX_TOKEN_LENGTH = LIMITS.registryToken.most;

/** The endpoint of an image. `registryUrl`: `--docker_registry`. */
export function endpointOf({ registry, repository }: ImageReference, registryUrl: string): Result<Endpoint, string> {
  let url: URL;
  try {
    url = new URL(registryUrl);
  } catch {
    return err(`--docker_registry: expected an http or https URL, or the absolute path of a directory`);
  }
  const host = registryHost(registry ?? url.host);
  const isDefault = host === registryHost(url.host);
  const scheme = isDefault ? url.protocol : host.endsWith(':80') ? 'http:' : 'https:';
  const isShort = isDockerHub(host) && !repository.includes('/');
  return ok({ origin: `${scheme}//${host}`, repository: isShort ? `library/${repository}` : repository, host });
}

interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly realm: string;
  readonly service: string | undefined;
}

/** The first challenge of `WWW-Authenticate` that this client can meet. */
export function parseChallenge(header: string): Challenge | undefined {
  const [, scheme, rest = ''] = /\b(basic|bearer)\s+([^\r\n]{1,4096})/i.exec(header) ?? [];
  if (scheme === undefined) return undefined;
  const parameter = (name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(rest)?.[1];
  return {
    scheme: scheme.toLowerCase() as Challenge['scheme'],
    realm: parameter('realm') ?? '',
    service: parameter('service'),
  };
}

/** Codes of failures that another attempt may not meet. */
const isTemporary = ({ code }: SystemError): boolean =>
  [
    'unavailable',
    'stalled',
    'timedOut',
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ].includes(code) || code.startsWith('ERR_STREAM_PREMATURE');

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

interface Session {
  readonly ports: RegistryPorts;
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  readonly signal: AbortSignalLike;
  /** The header `Authorization` that the registry takes. */
  authorization: string | undefined;
}

const headersOf = ({ authorization }: Session, accept: string): { readonly [name: string]: string } =>
  authorization === undefined ? { accept } : { accept, authorization };

function pause({ ports, signal }: Session, failures: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = ports.clock.setTimer(backoffPauseMs(PAUSES, failures, ports.random), done);
    function done(): void {
      signal.removeEventListener('abort', stop);
      resolve();
    }
    function stop(): void {
      cancel();
      done();
    }
    signal.addEventListener('abort', stop);
  });
}

/** IMAGE-REGISTRY-3. */
async function repeat<T>(session: Session, attempt: () => Promise<SystemResult<T>>): Promise<SystemResult<T>> {
  for (let failures = 1; ; failures++) {
    const result = await attempt();
    if (result.ok || !isTemporary(result.error) || failures === ATTEMPTS || session.signal.aborted) return result;
    await pause(session, failures);
  }
}

const get = (
  session: Session,
  url: string,
  headers: { readonly [name: string]: string },
): Promise<SystemResult<HttpResponse>> =>
  repeat(session, async () => {
    const answer = await session.ports.outbound.get(url, {
      headers,
      maxBytes: MAX_DOCUMENT_BYTES,
      timeoutMs: DOCUMENT_TIMEOUT_MS,
      maxRedirects: LIMITS.registryRedirects.most,
      signal: session.signal,
    });
    if (!answer.ok || (answer.value.status !== 429 && answer.value.status < 500)) return answer;
    return err({ code: 'unavailable', message: `the server answered with status ${answer.value.status}` });
  });

/** IMAGE-REGISTRY-1, IMAGE-REGISTRY-2. */
async function fetchToken(session: Session, { realm, service }: Challenge): Promise<Result<string, string>> {
  const { endpoint, credentials } = session;
  let url: URL;
  try {
    url = new URL(realm);
  } catch {
    return err('the registry names no URL for tokens');
  }
  const mustEncrypt = endpoint.origin.startsWith('https:');
  if (url.protocol !== 'https:' && (mustEncrypt || url.protocol !== 'http:')) {
    return err(`the registry names ${url.protocol}//${url.host} for tokens, which is not encrypted`);
  }
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${endpoint.repository}:pull`);
  const basic = credentials.get(endpoint.host);
  const headers = { accept: 'application/json', ...(basic === undefined ? {} : { authorization: `Basic ${basic}` }) };
  const answer = await get(session, url.href, headers);
  if (!answer.ok) return err(`token of ${url.host}: ${answer.error.message}`);
  const { status, body } = answer.value;
  if (status !== 200) {
    const hint = basic === undefined ? 'there are no credentials for it' : 'the credentials were rejected';
    return err(`token of ${url.host}: the server answered with status ${status}; ${hint} (--docker_config)`);
  }
  const parsed = parseObject(body, `token of ${url.host}`);
  const token = parsed.ok ? (parsed.value['token'] ?? parsed.value['access_token']) : undefined;
  const isToken = typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(token);
  return isToken ? ok(token) : err(`token of ${url.host}: expected a JSON object with a token`);
}

/** Sets the authorization that the registry asks for. */
async function authorize(session: Session, header: string | undefined): Promise<Result<void, string>> {
  const challenge = parseChallenge(header ?? '');
  if (challenge === undefined) return err('the registry asks for an authentication that is neither Bearer nor Basic');
  if (challenge.scheme === 'basic') {
    const basic = session.credentials.get(session.endpoint.host);
    if (basic === undefined) return err(`there are no credentials for ${session.endpoint.host} (--docker_config)`);
    session.authorization = `Basic ${basic}`;
    return ok(undefined);
  }
  const token = await fetchToken(session, challenge);
  if (!token.ok) return token;
  session.authorization = `Bearer ${token.value}`;
  return ok(undefined);
}

/** The reasons that registries give, for people: at most a few hundred characters of theirs. */
function reasonOf(body: Uint8Array): string {
  const parsed = parseObject(body, 'answer');
  const errors = parsed.ok ? parsed.value['errors'] : undefined;
  const [first] = Array.isArray(errors) ? errors : [];
  const message = isFields(first) ? (first['message'] ?? first['code']) : undefined;
  return typeof message === 'string' ? `: ${JSON.stringify(message.slice(0, 200))}` : '';
}

const urlOf = ({ endpoint }: Session, path: string): string => `${endpoint.origin}/v2/${endpoint.repository}/${path}`;

/** GETs a document of the repository, with authorization if the registry asks for it. */
async function fetchDocument(session: Session, path: string, accept: string): Promise<Result<HttpResponse, string>> {
  const where = `${session.endpoint.host}/${session.endpoint.repository}`;
  for (let attempts = 0; ; attempts++) {
    const answer = await get(session, urlOf(session, path), headersOf(session, accept));
    if (!answer.ok) return err(`${where}: ${answer.error.message}`);
    const { status, headers, body } = answer.value;
    if (status === 200) return ok(answer.value);
    if (status !== 401 || attempts > 0) {
      const what = path.startsWith('manifests/') ? 'no such image: ' : '';
      const isMissing = status === 404 ? what : '';
      return err(`${where}: ${isMissing}the registry answered with status ${status}${reasonOf(body)}`);
    }
    const authorized = await authorize(session, headers.get('www-authenticate'));
    if (!authorized.ok) return err(`${where}: ${authorized.error}`);
  }
}

async function manifest(session: Session, reference: string): Promise<Result<Uint8Array, string>> {
  const answer = await fetchDocument(session, `manifests/${reference}`, MANIFESTS);
  if (!answer.ok) return answer;
  const announced = answer.value.headers.get('docker-content-digest');
  const expected = reference.startsWith('sha256:') ? reference : announced;
  const got = sha256(answer.value.body);
  if (expected?.startsWith('sha256:') && expected !== got) {
    return err(`manifest ${reference}: its content has the digest ${got}, expected ${expected}`);
  }
  return ok(answer.value.body);
}

async function readDocument(session: Session, { digest, sizeBytes }: Descriptor): Promise<Result<Uint8Array, string>> {
  if (sizeBytes > MAX_DOCUMENT_BYTES)
    return err(`configuration: expected at most ${MAX_DOCUMENT_BYTES} bytes, got ${sizeBytes}`);
  const answer = await fetchDocument(session, `blobs/${digest}`, '*/*');
  if (!answer.ok) return answer;
  const got = sha256(answer.value.body);
  return got === digest
    ? ok(answer.value.body)
    : err(`configuration: its content has the digest ${got}, expected ${digest}`);
}

/** `removeFile` removes what a failed attempt has written. */
async function readBlob(
  session: Session,
  { digest, sizeBytes }: Descriptor,
  path: string,
  removeFile: (path: string) => Promise<unknown>,
): Promise<Result<void, string>> {
  const { ports, signal } = session;
  const attempt = (): Promise<SystemResult<{ readonly bytes: number }>> =>
    repeat(session, async () => {
      const downloaded = await ports.outbound.download(urlOf(session, `blobs/${digest}`), path, {
        headers: headersOf(session, '*/*'),
        stallTimeoutMs: ports.stallTimeoutMs,
        maxBytes: sizeBytes,
        maxRedirects: LIMITS.registryRedirects.most,
        sha256: digest.slice('sha256:'.length),
        signal,
      });
      if (!downloaded.ok) await removeFile(path);
      return downloaded;
    });
  let downloaded = await attempt();
  // The token may have expired during earlier layers.
  if (!downloaded.ok && downloaded.error.code === 'unauthorized') {
    const greeting = await get(session, `${session.endpoint.origin}/v2/`, { accept: '*/*' });
    const challenge = greeting.ok ? greeting.value.headers.get('www-authenticate') : undefined;
    const authorized = await authorize(session, challenge);
    if (!authorized.ok) return err(`layer ${digest}: ${authorized.error}`);
    downloaded = await attempt();
  }
  return downloaded.ok ? ok(undefined) : err(`layer ${digest}: ${downloaded.error.message}`);
}

export function openRegistrySession(
  ports: RegistryPorts & { readonly removeFile: (path: string) => Promise<unknown> },
  endpoint: Endpoint,
  credentials: Credentials,
  signal: AbortSignalLike,
): RegistrySession {
  const session: Session = { ports, endpoint, credentials, signal, authorization: undefined };
  return {
    manifest: (reference) => manifest(session, reference),
    document: (descriptor) => readDocument(session, descriptor),
    blob: (descriptor, path) => readBlob(session, descriptor, path, ports.removeFile),
  };
}
