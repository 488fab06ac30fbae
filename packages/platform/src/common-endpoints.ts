// The endpoints that master and agent have in common; requests are authorized before.
import {
  type CommonEndpoint,
  type Component,
  helpDocument,
  helpText,
  type Method,
  type Metrics,
  openApiDocument,
  PROMETHEUS_TYPE,
  prometheusText,
  refusal,
} from '@meseta/api';
import { parseDuration } from '@meseta/base';
import type { FileInfo } from '@meseta/wire';
import { jsonArray, jsonDouble, jsonNumber, jsonObject, jsonString } from '@meseta/wire/json';
import type { LoggingLevel } from './logging-level.js';
import { type HttpExchange, refuse, sendBody, sendJson, sendText } from './responses.js';
import { browse, download, type FindRoot, modeText, readPart, wholeText } from './shown-files.js';

type CommonExchange = HttpExchange & {
  /** A HEAD is a GET. */
  readonly method: Method;
  readonly match: { readonly rest: string };
};

export interface CommonOptions<Exchange> {
  readonly component: Component;
  readonly version: string;
  /** The document of /version. */
  readonly versionJson: string;
  readonly logging: LoggingLevel;
  metrics(): Metrics;
  /** Virtual paths and their host paths that the requester may see. */
  attached(exchange: Exchange): Iterable<readonly [string, string]>;
  /** The attached files that the requester may see. */
  filesFor(exchange: Exchange): FindRoot;
}

type CommonHandlers<Exchange> = { readonly [Name in CommonEndpoint]: (exchange: Exchange) => void | Promise<void> };

export function createCommonHandlers<Exchange extends CommonExchange>(
  options: CommonOptions<Exchange>,
): CommonHandlers<Exchange> {
  const { component, logging, metrics, filesFor } = options;
  return {
    metrics: (exchange) => serveMetrics(exchange, metrics),
    prometheus: (exchange) => servePrometheus(exchange, metrics()),
    logging: (exchange) => toggleLogging(exchange, logging),
    filesBrowse: (exchange) => serveBrowse(exchange, filesFor(exchange)),
    filesRead: (exchange) => serveRead(exchange, filesFor(exchange)),
    filesDownload: (exchange) => serveDownload(exchange, filesFor(exchange)),
    filesDebug: (exchange) => serveAttached(exchange, options.attached(exchange)),
    version: (exchange) => sendJson(exchange, options.versionJson),
    help: (exchange) => serveHelp(exchange, component, exchange.match.rest),
    openApi: (exchange) => serveOpenApi(exchange, component, options.version),
    systemStats: (exchange) => serveSystemStats(exchange, metrics()),
  };
}

const metricsJson = (metrics: Metrics): string =>
  jsonObject([...metrics].map(([name, { value }]) => [name, jsonDouble(value)]));

/** /metrics/snapshot. `?timeout=` limits the wait for slow metrics in Mesos; here no metric is slow. */
function serveMetrics(exchange: HttpExchange, metrics: () => Metrics): void {
  const timeout = exchange.query.get('timeout');
  const parsed = timeout === null ? undefined : parseDuration(timeout);
  if (parsed?.ok === false) {
    refuse(exchange.response, refusal('badRequest', `Parameter 'timeout': ${parsed.error}`));
    return;
  }
  sendJson(exchange, metricsJson(metrics()));
}

/** /metrics. */
function servePrometheus({ response }: HttpExchange, metrics: Metrics): void {
  sendBody(response, 200, { 'Content-Type': PROMETHEUS_TYPE }, Buffer.from(prometheusText(metrics)));
}

/** /system/stats.json, under its older names. */
const serveSystemStats = (exchange: HttpExchange, metrics: Metrics): void =>
  sendJson(
    exchange,
    metricsJson(
      new Map(
        [...metrics]
          .filter(([name]) => name.startsWith('system/'))
          .map(([name, metric]) => [name.replace('system/', '').replace('load_', 'avg_load_'), metric]),
      ),
    ),
  );

/** /help; `asked` is the rest of the path. */
function serveHelp(exchange: HttpExchange, component: Component, asked: string): void {
  const { response, query } = exchange;
  if (asked === '' && query.get('format') === 'json') {
    sendJson(exchange, JSON.stringify(helpDocument(component)));
    return;
  }
  const text = helpText(component, asked);
  if (text === undefined) sendText(response, 400, `No help available for '/${asked}'.\n`);
  else sendText(response, 200, text);
}

/** /openapi.json. */
const serveOpenApi = (exchange: HttpExchange, component: Component, version: string): void =>
  sendJson(exchange, JSON.stringify(openApiDocument(component, version)));

/**
 * /logging/toggle: a POST with `?level=1&duration=5mins` sets the level; without parameters it is shown. Unlike in Mesos a
 * GET does not set it, as any page in a browser can send one.
 */
function toggleLogging({ method, query, response }: CommonExchange, logging: LoggingLevel): void {
  const level = query.get('level');
  const duration = query.get('duration');
  if (level === null && duration === null) {
    sendText(response, 200, `${logging.get()}\n`);
    return;
  }
  if (method !== 'POST') {
    const text = `Method ${method}: the level is set by POST; a ${method} without 'level' and 'duration' shows it`;
    refuse(response, refusal('forbidden', text));
    return;
  }
  const parsed = parseDuration(duration ?? '');
  const done = parsed.ok
    ? logging.set(level === null || level === '' ? Number.NaN : Number(level), parsed.value)
    : parsed;
  if (done.ok) sendText(response, 200);
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

/** The parameter `path`; without it the request is refused and the result undefined. */
function pathOf({ query, response }: HttpExchange): string | undefined {
  const path = query.get('path');
  if (path !== null && path !== '') return path;
  refuse(response, refusal('badRequest', "Parameter 'path' is required but missing"));
  return undefined;
}

/** /files/browse. */
async function serveBrowse(exchange: HttpExchange, find: FindRoot): Promise<void> {
  const path = pathOf(exchange);
  if (path === undefined) return;
  const found = await browse(find, path);
  if (found.ok) sendJson(exchange, jsonArray(found.value, fileJson));
  else refuse(exchange.response, found.error);
}

/** A whole number of at least -1, or undefined. */
const wholeNumber = (text: string | null): number | undefined =>
  text !== null && /^-?\d+$/.test(text) && Number(text) >= -1 ? Number(text) : undefined;

/** /files/read. */
async function serveRead(exchange: HttpExchange, find: FindRoot): Promise<void> {
  const { query, response } = exchange;
  const path = pathOf(exchange);
  if (path === undefined) return;
  for (const name of ['offset', 'length']) {
    if (query.has(name) && wholeNumber(query.get(name)) === undefined) {
      const text = `Parameter '${name}': expected a whole number of at least -1, got ${JSON.stringify(query.get(name))}`;
      refuse(response, refusal('badRequest', text));
      return;
    }
  }
  const offset = wholeNumber(query.get('offset')) ?? -1;
  const length = wholeNumber(query.get('length')) ?? -1;
  const part = await readPart(find, path, Math.max(0, offset), length < 0 ? undefined : length);
  if (!part.ok) {
    refuse(response, part.error);
    return;
  }
  // An offset of -1 requests the size.
  const [data, at] = offset < 0 ? ['', part.value.sizeBytes] : [wholeText(part.value.data), offset];
  sendJson(
    exchange,
    jsonObject([
      ['data', jsonString(data)],
      ['offset', jsonNumber(at)],
    ]),
  );
}

/** /files/download. */
async function serveDownload(exchange: HttpExchange, find: FindRoot): Promise<void> {
  const path = pathOf(exchange);
  if (path === undefined) return;
  const refused = await download(find, path, exchange.response);
  if (refused?.code === 'notFound') sendText(exchange.response, 404, `404 Not Found: ${path}\n`);
  else if (refused !== undefined) refuse(exchange.response, refused);
}

/** /files/debug: the attached paths. */
const serveAttached = (exchange: HttpExchange, attached: Iterable<readonly [string, string]>): void =>
  sendJson(exchange, jsonObject([...attached].map(([name, path]) => [name, jsonString(path)])));
