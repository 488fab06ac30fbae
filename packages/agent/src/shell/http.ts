// The agent's HTTP endpoints: routes a request to its handler.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AgentEndpoint, agentEndpoints, createRouter, type Metrics, refusal } from '@meseta/api';
import type { Files } from '@meseta/base';
import type { Containerizer } from '@meseta/containers/containerizer';
import { createBodyReader } from '@meseta/platform';
import { type AdmittedRequest, createAdmission } from '@meseta/platform/admission';
import { buildInfo } from '@meseta/platform/build-info';
import { createCommonHandlers } from '@meseta/platform/common-endpoints';
import type { LoggingLevel } from '@meseta/platform/logging-level';
import { refuse, sendJson, sendText } from '@meseta/platform/responses';
import { versionDocument } from '@meseta/resources/v0-json';
import { type HttpGate, type Principal, SAFE_HEADERS } from '@meseta/security';
import type { AgentCore } from '../core/machine.js';
import type { Approver } from '../views/approver.js';
import { containersJson, flagsJson, type ProcessFacts, statePieces, statisticsListJson } from '../views/v0.js';
import { approverOf } from './approver-of.js';
import { attachedList, rootsFor } from './attached-files.js';
import { createAttachments } from './attachments.js';
import type { ContainerCalls } from './container-calls.js';
import { currentMetrics } from './current-metrics.js';
import type { ExecutorApi } from './executor-api.js';
import { measureContainers } from './measure.js';
import { serveCall } from './operator-calls.js';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface HttpOptions {
  readonly core: AgentCore;
  /** The flags as /flags shows them. */
  readonly shown: ReadonlyMap<string, string>;
  masterHostname(): string | undefined;
  readonly gate: HttpGate;
  readonly containerizer: Containerizer;
  readonly files: Files;
  readonly logging: LoggingLevel;
  /** The path of this agent's log. */
  readonly logFile: string | undefined;
  readonly executorApi: ExecutorApi;
  readonly containerCalls: ContainerCalls;
  /** Between the heartbeats of a stream of output. */
  readonly heartbeatMs: number;
  /** Metrics of connections and of messages that were dropped, by name. */
  portMetrics(): Metrics;
  /** The duration of the start, with the recovery of an earlier agent's state. */
  readonly recoverySeconds: number;
}

export interface Exchange extends AdmittedRequest<AgentEndpoint, Principal> {
  /** What the principal may read. */
  readonly approver: Approver;
}

type Handler = (exchange: Exchange) => void | Promise<void>;

const route = createRouter('agent', agentEndpoints);

export function createRequestHandler(options: HttpOptions): RequestHandler {
  const handlers = createHandlers(options);
  const { gate } = options;
  const admit = createAdmission({ route, headers: SAFE_HEADERS, gate });
  return (request, response) => {
    const admitted = admit(request, response);
    if (admitted === undefined) return;
    const exchange = { ...admitted, approver: approverOf(gate.authorizer, admitted.principal) };
    handlers[admitted.match.name](exchange)?.catch((cause: unknown) => {
      // A failed assertion ends the process: thrown from here, it reaches the process' handler.
      setImmediate(() => {
        throw cause;
      });
    });
  };
}

/** /containers: all containers, or those that the query selects by container, framework or executor. */
async function containers(options: HttpOptions, exchange: Exchange): Promise<void> {
  const { query, response, approver } = exchange;
  const [container, framework, executor] = ['container_id', 'framework_id', 'executor_id'].map((name) =>
    query.get(name),
  );
  const isMixed = container !== null && (framework !== null || executor !== null);
  if (isMixed || (container === null && framework === null && executor !== null)) {
    const text = "Parameters: expected 'container_id', or 'framework_id', or 'framework_id' and 'executor_id'";
    refuse(response, refusal('badRequest', text));
    return;
  }
  const measured = await measureContainers(options, approver);
  const selected = measured.filter(
    ({ executor: { containerId, frameworkId, info } }) =>
      (container === null || containerId === container) &&
      (framework === null || frameworkId === framework) &&
      (executor === null || info.executor_id.value === executor),
  );
  sendJson(exchange, containersJson(selected));
}

function createHandlers(options: HttpOptions): { readonly [Name in AgentEndpoint]: Handler } {
  const { core } = options;
  const bodies = createBodyReader();
  const operatorOptions = { ...options, attachments: createAttachments() };
  const facts = (): ProcessFacts => ({
    version: buildInfo,
    flags: options.shown,
    masterHostname: options.masterHostname(),
  });
  const notImplemented = (what: string) => (exchange: Exchange) =>
    refuse(exchange.response, refusal('notImplemented', `This agent does not have ${what}`));
  return {
    ...createCommonHandlers<Exchange>({
      component: 'agent',
      version: buildInfo.version,
      versionJson: versionDocument(buildInfo),
      logging: options.logging,
      metrics: () => currentMetrics(options),
      attached: ({ approver }) => attachedList(core.state, approver, options.logFile),
      filesFor: ({ approver }) => rootsFor(core.state, approver, options.logFile),
    }),
    operator: (exchange) => serveCall(operatorOptions, bodies, exchange),
    executor: (exchange) => options.executorApi.handle(bodies, exchange),
    resourceProvider: notImplemented('resource providers'),
    health: ({ response }) => sendText(response, 200),
    flags: (exchange) => sendJson(exchange, `{"flags":${flagsJson(options.shown)}}`),
    state: (exchange) => sendJson(exchange, statePieces(core.state, facts(), exchange.approver)),
    containers: (exchange) => containers(options, exchange),
    statistics: async (exchange) =>
      sendJson(exchange, statisticsListJson(await measureContainers(options, exchange.approver))),
    containerizerDebug: (exchange) =>
      sendJson(exchange, JSON.stringify({ pending: options.containerizer.pendingOperations() })),
  };
}
