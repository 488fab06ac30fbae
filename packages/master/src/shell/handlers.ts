// Which handler answers which endpoint.
import { refusal } from '@meseta/api';
import { parseDuration } from '@meseta/base';
import { type BodyReader, type RenderQueue, realClock } from '@meseta/platform';
import { answerJson, answerText, refuse } from '@meseta/platform/answers';
import {
  answerAttached,
  answerBrowse,
  answerDownload,
  answerHelp,
  answerMetrics,
  answerOpenApi,
  answerPrometheus,
  answerRead,
  answerSystemStats,
} from '@meseta/platform/common-endpoints';
import type { FindRoot } from '@meseta/platform/shown-files';
import { versionDocument } from '@meseta/resources/v0-json';
import type { Authorizer } from '@meseta/security';
import type { MediaType } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import type { ProcessFacts } from '../views/facts.js';
import { flagsDocument } from '../views/v0-state.js';
import type { Exchange } from './exchange.js';
import { createExtensions } from './extensions.js';
import { type Handlers, redirectTo, type Standing } from './http.js';
import { createOperatorApi, type LoggingLevel } from './operator-api.js';
import type { Requests } from './requests.js';
import type { SchedulerApi } from './scheduler-api.js';
import { createV0Reads } from './v0-api.js';
import { createV0Changes } from './v0-changes.js';
import type { ViewerOf } from './viewer.js';

export interface HandlersOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  readonly scheduler: SchedulerApi;
  readonly renders: RenderQueue;
  readonly facts: ProcessFacts;
  readonly viewerOf: ViewerOf;
  readonly authorizer: Authorizer;
  readonly logging: LoggingLevel;
  /** Virtual paths and where they lead. */
  readonly attached: ReadonlyMap<string, string>;
  /** What of them a principal may see. */
  filesFor(principal: string | undefined): FindRoot;
  state(): MasterState;
  metrics(): ReadonlyMap<string, number>;
  standing(): Standing;
  push(input: MasterInput): void;
  subscribe(exchange: Exchange, mediaType: MediaType): Promise<void>;
}

export function createHandlers(options: HandlersOptions): Handlers {
  const { facts } = options;
  const reads = createV0Reads(options);
  const changes = createV0Changes(options);
  const get =
    (read: (exchange: Exchange) => void | Promise<void>, otherwise: (exchange: Exchange) => void | Promise<void>) =>
    (exchange: Exchange) =>
      exchange.method === 'GET' ? read(exchange) : otherwise(exchange);

  return {
    ...reads,
    ...changes,
    ...createExtensions({ ...options, clock: realClock }),
    operator: createOperatorApi(options),
    scheduler: options.scheduler.handle,
    health: ({ response }) => answerText(response, 200),
    version: (exchange) => answerJson(exchange, versionDocument(facts.build)),
    flags: (exchange) => answerJson(exchange, flagsDocument(facts)),
    redirect: redirector(options.standing, facts),
    metrics: (exchange) => answerMetrics(exchange, options.metrics),
    prometheus: (exchange) => answerPrometheus(exchange, options.metrics()),
    logging: toggleLogging(options.logging),
    maintenanceSchedule: get(reads.maintenanceSchedule, changes.updateSchedule),
    weights: get(reads.weights, changes.updateWeights),
    quota: (exchange) => {
      if (exchange.method === 'GET') return reads.quota(exchange);
      return exchange.method === 'POST' ? changes.setQuota(exchange) : changes.removeQuota(exchange);
    },
    filesBrowse: (exchange) => answerBrowse(exchange, options.filesFor(exchange.principal)),
    filesRead: (exchange) => answerRead(exchange, options.filesFor(exchange.principal)),
    filesDownload: (exchange) => answerDownload(exchange, options.filesFor(exchange.principal)),
    filesDebug: (exchange) => answerAttached(exchange, options.attached),
    help: (exchange) => answerHelp(exchange, 'master', exchange.match.rest),
    openApi: (exchange) => answerOpenApi(exchange, 'master', facts.build.version),
    systemStats: (exchange) => answerSystemStats(exchange, options.metrics()),
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
