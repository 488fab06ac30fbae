// Requests to the Docker engine over its unix socket: the version of its API, errors as values, limits of answers.
import { err, type LocalResponse, ok, overLimit, type Result, type SendLocalRequest } from '@meseta/base';
import { isTooDeep } from './engine-responses.js';

/** unreachable: the engine doesn't answer, so nothing is known. refused: its answer is an error with an HTTP status. */
export type EngineProblem =
  | { readonly kind: 'unreachable'; readonly message: string }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string };

export type EngineResult<T> = Promise<Result<T, EngineProblem>>;

/** The lowest version of the API with all that is used here (Docker 20.10), and the highest one it was written for. */
const LOWEST_VERSION: Version = [1, 41];
const HIGHEST_VERSION: Version = [1, 51];

export const CALL_TIMEOUT_MS = 60_000;
const MAX_MESSAGE = 2000;

type Version = readonly [major: number, minor: number];

export const unreachable = (message: string): EngineProblem => ({ kind: 'unreachable', message });

export const cut = (text: string): string => (text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}...` : text);

/** The message in an error of the engine. */
function messageOf(text: string, status: number): string {
  const parsed = parseJson(text);
  const message = (parsed as { readonly message?: unknown } | undefined)?.message;
  return cut(typeof message === 'string' && message !== '' ? message : `the engine answered with status ${status}`);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a whole body. */
async function readBody(response: LocalResponse, limit: 'engineResponse' | 'engineList'): EngineResult<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const part = await response.next();
    if (!part.ok) return err(unreachable(part.error.message));
    if (part.value === undefined) return ok(Buffer.concat(parts).toString());
    bytes += part.value.length;
    const problem = overLimit(limit, "the engine's answer", bytes);
    if (problem !== undefined) {
      response.close();
      return err(unreachable(problem));
    }
    parts.push(part.value);
  }
}

/** Calls `onLine` with each line of a body until its end. The time for a line grows with its length, however small its parts are. */
export async function readLines(
  response: LocalResponse,
  onLine: (line: string) => void,
): Promise<Result<void, string>> {
  /** The parts of a line whose end has not arrived. */
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for (;;) {
    const part = await response.next();
    if (!part.ok) return err(part.error.message);
    if (part.value === undefined) return ok(undefined);
    let rest = Buffer.from(part.value);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = Buffer.concat([...begun, rest.subarray(0, end)]).toString();
      begun = [];
      begunBytes = 0;
      rest = rest.subarray(end + 1);
      if (line.trim() !== '') onLine(line);
    }
    begun.push(rest);
    begunBytes += rest.length;
    const problem = overLimit('engineResponse', 'a line of the engine', begunBytes);
    if (problem !== undefined) {
      response.close();
      return err(problem);
    }
  }
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the version. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly headers?: { readonly [name: string]: string };
  /** undefined: a stream without end. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const isBelow = ([a, b]: Version, [c, d]: Version): boolean => a < c || (a === c && b < d);
const parseVersion = (text: unknown): Version | undefined => {
  const [, major, minor] = typeof text === 'string' ? (/^(\d{1,4})\.(\d{1,4})$/.exec(text) ?? []) : [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
};

/** The highest version that both know. */
function agree(answer: unknown): Result<string, string> {
  const { ApiVersion, MinAPIVersion } = (answer ?? {}) as {
    readonly ApiVersion?: unknown;
    readonly MinAPIVersion?: unknown;
  };
  const newest = parseVersion(ApiVersion);
  if (newest === undefined) return err('its answer has no ApiVersion: it is no Docker engine');
  if (isBelow(newest, LOWEST_VERSION)) {
    return err(
      `expected version ${LOWEST_VERSION.join('.')} of its API or newer (Docker 20.10), got ${newest.join('.')}`,
    );
  }
  const oldest = parseVersion(MinAPIVersion) ?? newest;
  const wanted = isBelow(HIGHEST_VERSION, newest) ? HIGHEST_VERSION : newest;
  return ok(`/v${(isBelow(wanted, oldest) ? oldest : wanted).join('.')}`);
}

export interface EngineCalls {
  /** Agrees on a version of the API. Every other call needs it once, and again after the engine was restarted. */
  connect(): EngineResult<void>;
  /** A response that began, whose status is no error. */
  open(call: Call): EngineResult<LocalResponse>;
  requestJson(call: Call, limit?: 'engineList'): EngineResult<unknown>;
  /** Without an answer. */
  act(call: Call): EngineResult<void>;
}

export function createEngineCalls(send: SendLocalRequest, socket: string): EngineCalls {
  let version: string | undefined;

  async function open({ timeoutMs, ...call }: Call): EngineResult<LocalResponse> {
    if (version === undefined) {
      const connected = await connect();
      if (!connected.ok) return connected;
    }
    const headers = { ...call.headers, ...(call.body === undefined ? {} : { 'Content-Type': 'application/json' }) };
    const path = `${version}${call.path}`;
    const response = await send({ socket, ...call, path, headers, idleTimeoutMs: timeoutMs });
    if (!response.ok) return err(unreachable(`${socket}: ${response.error.message}`));
    const { status } = response.value;
    if (status < 400) return response;
    const text = await readBody(response.value, 'engineResponse');
    if (!text.ok) return text;
    return err({ kind: 'refused', status, message: messageOf(text.value, status) });
  }

  async function request(call: Call, limit: 'engineResponse' | 'engineList' = 'engineResponse'): EngineResult<string> {
    const response = await open({ timeoutMs: CALL_TIMEOUT_MS, ...call });
    return response.ok ? readBody(response.value, limit) : response;
  }

  async function requestJson(call: Call, limit?: 'engineList'): EngineResult<unknown> {
    const text = await request(call, limit);
    if (!text.ok) return text;
    const json = parseJson(text.value);
    if (json === undefined) return err(unreachable(`${call.path}: the engine's answer is no JSON`));
    return isTooDeep(json) ? err(unreachable(`${call.path}: the engine's answer is nested too deep`)) : ok(json);
  }

  const act = async (call: Call): EngineResult<void> => {
    const done = await request(call);
    return done.ok ? ok(undefined) : done;
  };

  async function connect(): EngineResult<void> {
    const response = await send({ socket, method: 'GET', path: '/version', idleTimeoutMs: CALL_TIMEOUT_MS });
    if (!response.ok) return err(unreachable(`${socket}: ${response.error.message}`));
    const text = await readBody(response.value, 'engineResponse');
    if (!text.ok) return text;
    const agreed = agree(parseJson(text.value));
    if (!agreed.ok) return err(unreachable(`${socket}: ${agreed.error}`));
    version = agreed.value;
    return ok(undefined);
  }

  return { connect, open, requestJson, act };
}
