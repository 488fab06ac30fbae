// The agent's HTTP endpoints: from a request to the view that answers it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import {
  type AgentEndpoint,
  agentEndpoints,
  createRouter,
  jsonWrapping,
  type Match,
  type Method,
  methodsOf,
  type Refusal,
  refusal,
  statusOf,
} from '@meseta/api';
import { parseDuration } from '@meseta/base';
import type { PosixContainers } from '@meseta/containers/posix';
import { createBodyReader } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { jsonObject } from '@meseta/resources/v0-json';
import { type HttpGate, type Principal, SAFE_HEADERS } from '@meseta/security';
import type { FileInfo } from '@meseta/wire';
import { VersionInfoCodec } from '@meseta/wire/codecs';
import { jsonArray, jsonDouble, jsonNumber, jsonString } from '@meseta/wire/json';
import type { AgentCore } from '../core/agent.js';
import type { Approver } from '../views/approver.js';
import { agentMetrics } from '../views/metrics.js';
import { containersJson, flagsJson, type ProcessFacts, stateJson, statisticsListJson } from '../views/v0.js';
import { attachedPaths, browse, download, modeText, readPart, wholeText } from './files-endpoints.js';
import type { LoggingLevel } from './logging-level.js';
import { measureContainers } from './measure.js';
import { answerCall } from './operator-calls.js';
import { viewerOf } from './viewer.js';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface HttpOptions {
  readonly core: AgentCore;
  /** The flags as /flags shows them. */
  readonly shown: ReadonlyMap<string, string>;
  readonly masterHostname: string | undefined;
  readonly gate: HttpGate;
  readonly containers: PosixContainers;
  readonly logging: LoggingLevel;
  /** How long the start took, what an earlier agent left included. */
  readonly recoverySeconds: number;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly match: Match<AgentEndpoint>;
  readonly query: URLSearchParams;
  /** Who asks, as authenticated. */
  readonly principal: Principal | undefined;
  /** What they may see. */
  readonly approver: Approver;
}

type Handler = (exchange: Exchange) => void | Promise<void>;

const route = createRouter('agent', agentEndpoints);

export function createRequestHandler(options: HttpOptions): RequestHandler {
  const handlers = createHandlers(options);
  return (request, response) => {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
    const target = request.url ?? '/';
    const split = target.indexOf('?');
    const path = split < 0 ? target : target.slice(0, split);
    const match = route(path);
    if (match === undefined) {
      answerText(response, 404, `404 Not Found: no endpoint answers ${target}\n`);
      return;
    }
    const { method = '', headers } = request;
    const admitted = options.gate.admit({ method, path, endpoint: match.endpoint, headers }, Date.now());
    if (!admitted.ok) {
      refuse(response, admitted.error);
      return;
    }
    if (match.endpoint.methods[request.method as Method] === undefined && request.method !== 'HEAD') {
      const allowed = methodsOf(match.endpoint).join(', ');
      refuse(
        response,
        refusal('methodNotAllowed', `Method ${request.method}: expected ${allowed}`, { Allow: allowed }),
      );
      return;
    }
    const query = new URLSearchParams(split < 0 ? '' : target.slice(split + 1));
    const handled = handlers[match.name]({
      request,
      response,
      match,
      query,
      principal: admitted.value,
      approver: viewerOf(options.gate.authorizer, admitted.value),
    });
    handled?.catch((cause: unknown) => {
      // A broken handler is a broken agent: the process' last handler hears of it.
      setImmediate(() => {
        throw cause;
      });
    });
  };
}

/** A status with a text, or with nothing. */
export function answerText(
  response: ServerResponse,
  status: number,
  text = '',
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(text);
  const type = body.length === 0 ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  response.writeHead(status, { ...type, ...headers, 'Content-Length': body.length });
  response.end(body);
}

export const refuse = (response: ServerResponse, { code, text, headers }: Refusal): void =>
  answerText(response, statusOf(code), text, headers);

/** A JSON document, in the function that `?jsonp=` names if the endpoint has that. */
function answerJson({ response, match, query }: Exchange, document: string): void {
  const wrapping = jsonWrapping(match.endpoint.jsonp ? (query.get('jsonp') ?? undefined) : undefined);
  if (wrapping === undefined) {
    refuse(response, refusal('badRequest', "Parameter 'jsonp': expected the name of a function"));
    return;
  }
  const body = Buffer.from(wrapping.before + document + wrapping.after);
  response.writeHead(200, { 'Content-Type': wrapping.contentType, 'Content-Length': body.length });
  response.end(body);
}

export function systemMetrics(): Readonly<Record<string, number>> {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    'system/cpus_total': cpus().length,
    'system/load_1min': one,
    'system/load_5min': five,
    'system/load_15min': fifteen,
    'system/mem_free_bytes': freemem(),
    'system/mem_total_bytes': totalmem(),
  };
}

export const currentMetrics = ({ core, containers, recoverySeconds }: HttpOptions): ReadonlyMap<string, number> =>
  agentMetrics(core.state, {
    nowWallMs: Date.now(),
    recoverySeconds,
    system: systemMetrics(),
    fetcher: containers.fetcherMetrics(),
  });

function metrics(options: HttpOptions, exchange: Exchange): void {
  const timeout = exchange.query.get('timeout');
  const parsed = timeout === null ? undefined : parseDuration(timeout);
  if (parsed?.ok === false) {
    refuse(exchange.response, refusal('badRequest', `Parameter 'timeout': ${parsed.error}`));
    return;
  }
  answerJson(exchange, jsonObject([...currentMetrics(options)].map(([name, value]) => [name, jsonDouble(value)])));
}

/** `?level=1&duration=5mins` sets the level; without both it is shown. */
function toggleLogging(logging: LoggingLevel, { query, response }: Exchange): void {
  const level = query.get('level');
  const duration = query.get('duration');
  if (level === null && duration === null) {
    answerText(response, 200, `${logging.get()}\n`);
    return;
  }
  const parsed = parseDuration(duration ?? '');
  const done = parsed.ok
    ? logging.set(level === null || level === '' ? Number.NaN : Number(level), parsed.value)
    : parsed;
  if (done.ok) answerText(response, 200);
  else refuse(response, refusal('badRequest', `Parameters 'level' and 'duration': ${done.error}`));
}

const fileJson = (info: FileInfo): string =>
  jsonObject([
    ['path', jsonString(info.path)],
    ['nlink', jsonNumber(info.nlink ?? 0)],
    ['size', jsonNumber(info.size ?? 0)],
    ['mtime', jsonNumber(Number((info.mtime?.nanoseconds ?? 0n) / 1_000_000_000n))],
    ['mode', jsonString(modeText(info.mode ?? 0))],
    ['uid', jsonString(info.uid ?? '')],
    ['gid', jsonString(info.gid ?? '')],
  ]);

/** The parameter `path`; answers the request itself where there is none. */
function pathOf({ query, response }: Exchange): string | undefined {
  const path = query.get('path');
  if (path !== null && path !== '') return path;
  refuse(response, refusal('badRequest', "Parameter 'path' is required but missing"));
  return undefined;
}

async function filesBrowse({ core }: HttpOptions, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  if (path === undefined) return;
  const found = await browse(core.state, path, exchange.approver);
  if (found.ok) answerJson(exchange, jsonArray(found.value, fileJson));
  else refuse(exchange.response, found.error);
}

/** A whole number from -1 on; `undefined` where it is something else. */
const wholeNumber = (text: string | null): number | undefined =>
  text !== null && /^-?\d+$/.test(text) && Number(text) >= -1 ? Number(text) : undefined;

async function filesRead({ core }: HttpOptions, exchange: Exchange): Promise<void> {
  const { query, response } = exchange;
  const path = pathOf(exchange);
  if (path === undefined) return;
  for (const name of ['offset', 'length']) {
    if (query.has(name) && wholeNumber(query.get(name)) === undefined) {
      const text = `Parameter '${name}': expected a whole number from -1 on, got ${JSON.stringify(query.get(name))}`;
      refuse(response, refusal('badRequest', text));
      return;
    }
  }
  const offset = wholeNumber(query.get('offset')) ?? -1;
  const length = wholeNumber(query.get('length')) ?? -1;
  const part = await readPart(
    core.state,
    path,
    Math.max(0, offset),
    length < 0 ? undefined : length,
    exchange.approver,
  );
  if (!part.ok) {
    refuse(response, part.error);
    return;
  }
  // -1 asks for the size.
  const [data, at] = offset < 0 ? ['', part.value.sizeBytes] : [wholeText(part.value.data), offset];
  answerJson(
    exchange,
    jsonObject([
      ['data', jsonString(data)],
      ['offset', jsonNumber(at)],
    ]),
  );
}

async function filesDownload({ core }: HttpOptions, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  const refused =
    path === undefined ? undefined : await download(core.state, path, exchange.response, exchange.approver);
  if (refused !== undefined) refuse(exchange.response, refused);
}

function createHandlers(options: HttpOptions): { readonly [Name in AgentEndpoint]: Handler } {
  const { core } = options;
  const bodies = createBodyReader();
  const facts: ProcessFacts = { version: buildInfo, flags: options.shown, masterHostname: options.masterHostname };
  const notHere = (what: string) => (exchange: Exchange) =>
    refuse(exchange.response, refusal('notImplemented', `This agent does not have ${what}`));
  return {
    operator: (exchange) => answerCall(options, bodies, exchange),
    executor: notHere('the executor API'),
    resourceProvider: notHere('resource providers'),
    health: ({ response }) => answerText(response, 200),
    version: (exchange) => answerJson(exchange, VersionInfoCodec.write(buildInfo)),
    flags: (exchange) => answerJson(exchange, `{"flags":${flagsJson(options.shown)}}`),
    state: (exchange) => answerJson(exchange, stateJson(core.state, facts, exchange.approver)),
    metrics: (exchange) => metrics(options, exchange),
    containers: async (exchange) =>
      answerJson(exchange, containersJson(await measureContainers(options, exchange.approver))),
    statistics: async (exchange) => answerJson(exchange, statisticsListJson(await measureContainers(options))),
    containerizerDebug: (exchange) => answerJson(exchange, '{"pending":[]}'),
    filesBrowse: (exchange) => filesBrowse(options, exchange),
    filesRead: (exchange) => filesRead(options, exchange),
    filesDownload: (exchange) => filesDownload(options, exchange),
    filesDebug: (exchange) =>
      answerJson(
        exchange,
        jsonObject([...attachedPaths(core.state)].map(([name, { path }]) => [name, jsonString(path)])),
      ),
    logging: (exchange) => toggleLogging(options.logging, exchange),
    help: ({ response }) => answerText(response, 200, helpText()),
    systemStats: (exchange) =>
      answerJson(
        exchange,
        jsonObject(
          Object.entries(systemMetrics()).map(([name, value]) => [
            name.replace('system/', '').replace('load_', 'avg_load_'),
            jsonDouble(value),
          ]),
        ),
      ),
  };
}

const helpText = (): string =>
  Object.values(agentEndpoints)
    .map(({ path, summary }) => `${path}  ${summary}\n`)
    .join('');
