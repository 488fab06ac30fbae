// Which handler answers which endpoint.
import { refusal } from '@meseta/api';
import { parseDuration } from '@meseta/base';
import { type BodyReader, type RenderQueue, realClock } from '@meseta/platform';
import { versionDocument } from '@meseta/resources/v0-json';
import type { Authorizer } from '@meseta/security';
import type { SchedulerCall } from '@meseta/wire';
import { jsonDouble, jsonString } from '@meseta/wire/json';
import type { MediaType } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import type { ProcessFacts } from '../views/facts.js';
import { flagsDocument } from '../views/v0-state.js';
import { answerJson, answerText, type Exchange, refuse } from './exchange.js';
import { createExtensions } from './extensions.js';
import { helpPage } from './help.js';
import { type Handlers, redirectTo, type Standing } from './http.js';
import { createOperatorApi, type LoggingLevel } from './operator-api.js';
import type { Requests } from './requests.js';
import { createSchedulerApi } from './scheduler-api.js';
import { createV0Reads } from './v0-api.js';
import { createV0Changes } from './v0-changes.js';
import type { ViewerOf } from './viewer.js';

export interface HandlersOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  readonly renders: RenderQueue;
  readonly facts: ProcessFacts;
  readonly viewerOf: ViewerOf;
  readonly authorizer: Authorizer;
  readonly logging: LoggingLevel;
  state(): MasterState;
  metrics(): ReadonlyMap<string, number>;
  standing(): Standing;
  push(input: MasterInput): void;
  onInvalid(call: SchedulerCall): void;
  subscribe(exchange: Exchange, mediaType: MediaType): Promise<void>;
}

export function createHandlers(options: HandlersOptions): Handlers {
  const { facts } = options;
  const reads = createV0Reads(options);
  const changes = createV0Changes(options);
  const noSuchFile = ({ response, query }: Exchange, text = ''): void => {
    const path = query.get('path');
    if (path === null || path === '')
      refuse(response, refusal('badRequest', "Parameter 'path' is required but missing"));
    else answerText(response, 404, text);
  };
  const get =
    (read: (exchange: Exchange) => void | Promise<void>, otherwise: (exchange: Exchange) => void | Promise<void>) =>
    (exchange: Exchange) =>
      exchange.method === 'GET' ? read(exchange) : otherwise(exchange);

  return {
    ...reads,
    ...changes,
    ...createExtensions({ ...options, clock: realClock }),
    operator: createOperatorApi(options),
    scheduler: createSchedulerApi(options),
    health: ({ response }) => answerText(response, 200),
    version: (exchange) => answerJson(exchange, versionDocument(facts.build)),
    flags: (exchange) => answerJson(exchange, flagsDocument(facts)),
    redirect: redirector(options.standing, facts),
    metrics: (exchange) => answerMetrics(exchange, options.metrics()),
    logging: toggleLogging(options.logging),
    maintenanceSchedule: get(reads.maintenanceSchedule, changes.updateSchedule),
    weights: get(reads.weights, changes.updateWeights),
    quota: (exchange) => {
      if (exchange.method === 'GET') return reads.quota(exchange);
      return exchange.method === 'POST' ? changes.setQuota(exchange) : changes.removeQuota(exchange);
    },
    filesBrowse: (exchange) => noSuchFile(exchange),
    filesRead: (exchange) => noSuchFile(exchange),
    filesDownload: (exchange) => noSuchFile(exchange, `404 Not Found: ${exchange.query.get('path')}\n`),
    filesDebug: (exchange) => answerJson(exchange, '{}'),
    help: helpPage,
    systemStats: (exchange) => answerMetrics(exchange, systemOnly(options.metrics())),
  };
}

const redirector =
  (standing: () => Standing, { info }: ProcessFacts) =>
  ({ response, match }: Exchange): void => {
    const now = standing();
    if (match.rest !== '') answerText(response, 404, '404 Not Found\n');
    else if (now.kind === 'leaderless') refuse(response, refusal('unavailable', 'No master leads'));
    else {
      const own = { hostname: info.hostname ?? info.address?.ip ?? '', port: info.port };
      redirectTo(now.kind === 'following' ? now.leader : own, '', response);
    }
  };

/** `?timeout=` is how long the client would wait; there is nothing here to wait for. */
function answerMetrics(exchange: Exchange, metrics: ReadonlyMap<string, number>): void {
  const timeout = exchange.query.get('timeout');
  const parsed = timeout === null ? undefined : parseDuration(timeout);
  if (parsed !== undefined && !parsed.ok) {
    refuse(exchange.response, refusal('badRequest', `Parameter 'timeout': ${parsed.error}`));
    return;
  }
  let text = '';
  for (const [name, value] of metrics) {
    text += `${text === '' ? '' : ','}${jsonString(name)}:${Number.isInteger(value) ? value : jsonDouble(value)}`;
  }
  answerJson(exchange, `{${text}}`);
}

const systemOnly = (metrics: ReadonlyMap<string, number>): ReadonlyMap<string, number> =>
  new Map(
    [...metrics]
      .filter(([name]) => name.startsWith('system/'))
      .map(([name, value]) => [name.slice('system/'.length), value]),
  );

const toggleLogging =
  (logging: LoggingLevel) =>
  ({ response, query }: Exchange): void => {
    const [level, duration] = [query.get('level'), query.get('duration')];
    const parsed = parseDuration(duration ?? '');
    if (level === null && duration === null) answerText(response, 200, `${logging.get()}\n`);
    else if (level === null || !/^[0-3]$/.test(level)) {
      refuse(response, refusal('badRequest', "Parameter 'level': expected a number from 0 to 3"));
    } else if (!parsed.ok || parsed.value <= 0) {
      const why = parsed.ok ? 'expected more than 0' : parsed.error;
      refuse(response, refusal('badRequest', `Parameter 'duration': ${why}`));
    } else {
      logging.set(Number(level), parsed.value);
      answerText(response, 200);
    }
  };
