// Assigns a handler to each endpoint.
import type { Metrics } from '@meseta/api';
import { type BodyReader, type RenderQueue, realClock } from '@meseta/platform';
import { createCommonHandlers } from '@meseta/platform/common-endpoints';
import type { LoggingLevel } from '@meseta/platform/logging-level';
import { sendJson, sendText } from '@meseta/platform/responses';
import type { FindRoot } from '@meseta/platform/shown-files';
import { versionDocument } from '@meseta/resources/v0-json';
import type { Authorizer } from '@meseta/security';
import type { ElectedMaster } from '@meseta/wire/leader-info';
import type { MediaType } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import type { ProcessFacts } from '../views/facts.js';
import { flagsDocument } from '../views/v0-state.js';
import type { ApproverOf } from './approver-of.js';
import type { Exchange } from './exchange.js';
import { createExtensions } from './extensions.js';
import type { Handlers } from './http.js';
import { createOperatorApi } from './operator-api.js';
import type { Requests } from './requests.js';
import type { SchedulerApi } from './scheduler-api.js';
import { createV0Reads } from './v0-api.js';
import { createV0Changes } from './v0-changes.js';

export interface HandlersOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  readonly scheduler: SchedulerApi;
  readonly renders: RenderQueue;
  readonly facts: ProcessFacts;
  readonly approverOf: ApproverOf;
  readonly authorizer: Authorizer;
  readonly logging: LoggingLevel;
  /** The virtual paths that a principal may see, with the files behind them. */
  readonly attached: (principal: string | undefined) => Iterable<readonly [string, string]>;
  /** Resolves the virtual paths that a principal may see. */
  filesFor(principal: string | undefined): FindRoot;
  /** The elected master; undefined while none is known. */
  leader(): ElectedMaster | undefined;
  state(): MasterState;
  metrics(): Metrics;
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
    ...createCommonHandlers<Exchange>({
      component: 'master',
      version: facts.build.version,
      versionJson: versionDocument(facts.build),
      logging: options.logging,
      metrics: options.metrics,
      attached: ({ principal }) => options.attached(principal),
      filesFor: ({ principal }) => options.filesFor(principal),
    }),
    ...reads,
    ...changes,
    ...createExtensions({ ...options, clock: realClock }),
    operator: createOperatorApi(options),
    scheduler: options.scheduler.handle,
    health: ({ response }) => sendText(response, 200),
    flags: (exchange) => sendJson(exchange, flagsDocument(facts)),
    redirect: redirectToLeader(options),
    maintenanceSchedule: get(reads.maintenanceSchedule, changes.updateSchedule),
    weights: get(reads.weights, changes.updateWeights),
    quota: (exchange) => {
      if (exchange.method === 'GET') return reads.quota(exchange);
      return exchange.method === 'POST' ? changes.setQuota(exchange) : changes.removeQuota(exchange);
    },
  };
}

const redirectToLeader =
  ({ leader }: Pick<HandlersOptions, 'leader'>) =>
  ({ response, match }: Exchange): void => {
    const elected = leader();
    if (match.rest !== '') sendText(response, 404, '404 Not Found\n');
    else if (elected === undefined) sendText(response, 503, 'No leader elected');
    else sendText(response, 307, '', { Location: `//${elected.authority}` });
  };
