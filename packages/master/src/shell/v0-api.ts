// The v0 endpoints that show state: documents rendered through the render queue.
import { jsonWrapping, refusal } from '@meseta/api';
import type { RenderQueue } from '@meseta/platform';
import { refuse, sendJson } from '@meseta/platform/responses';
import {
  MaintenanceClusterStatusCodec,
  MaintenanceScheduleCodec,
  QuotaStatusCodec,
  WeightInfoCodec,
} from '@meseta/wire/codecs';
import { jsonArray } from '@meseta/wire/json';
import type { MasterState } from '../core/state.js';
import type { Approver } from '../views/approver.js';
import type { ProcessFacts } from '../views/facts.js';
import type { Pieces } from '../views/pieces.js';
import { rolesDocument } from '../views/roles.js';
import type { Document, Remembered } from '../views/runs.js';
import { snapshotOf } from '../views/snapshot.js';
import { agentsDocument } from '../views/v0-agents.js';
import { frameworksDocument, taskQueryOf, tasksDocument } from '../views/v0-frameworks.js';
import { stateDocument, summaryDocument } from '../views/v0-state.js';
import { maintenanceScheduleOf, maintenanceStatusOf, quotaStatusOf, weightsOf } from '../views/v1-responses.js';
import type { ApproverOf } from './approver-of.js';
import type { Exchange } from './exchange.js';
import type { Handler } from './http.js';

export interface V0ApiOptions {
  readonly renders: RenderQueue;
  readonly facts: ProcessFacts;
  readonly approverOf: ApproverOf;
  state(): MasterState;
}

/** Describes a document. Its key has every query parameter that the document depends on: equal keys share a rendering. */
type View = (
  query: URLSearchParams,
  approver: Approver,
) => {
  readonly key: string;
  /** Filtered by the query: unlikely to be requested again, so it is not kept. */
  readonly isFiltered?: boolean;
  start(earlier: Remembered | undefined): Pieces | Document;
};

export function createV0Reads(options: V0ApiOptions) {
  const { facts, state, approverOf } = options;
  const snapshot = () => snapshotOf(state());
  const parameterOf = (query: URLSearchParams, name: string): string | undefined => query.get(name) || undefined;

  const document =
    (view: View): Handler =>
    (exchange) => {
      const approver = approverOf(exchange.principal);
      return render(options, exchange, view(exchange.query, approver), approver);
    };

  return {
    state: document((_, approver) => ({
      key: 'state',
      start: (earlier) => stateDocument(state(), snapshot(), facts, approver, earlier),
    })),
    stateSummary: document((_, approver) => ({
      key: 'summary',
      start: () => summaryDocument(snapshot(), facts, approver),
    })),
    roles: document((_, approver) => ({ key: 'roles', start: () => rolesDocument(state(), snapshot(), approver) })),
    agents: document((query, approver) => {
      const id = parameterOf(query, 'slave_id');
      return {
        key: `agents ${id ?? ''}`,
        isFiltered: id !== undefined,
        start: (earlier) => agentsDocument(snapshot(), approver, id, earlier),
      };
    }),
    frameworks: document((query, approver) => {
      const id = parameterOf(query, 'framework_id');
      return {
        key: `frameworks ${id ?? ''}`,
        isFiltered: id !== undefined,
        start: (earlier) => frameworksDocument(snapshot(), approver, id, earlier),
      };
    }),
    tasks: document((query, approver) => {
      const asked = taskQueryOf(query);
      return {
        key: `tasks ${JSON.stringify(asked)}`,
        isFiltered: [...query.keys()].length > 0,
        start: () => tasksDocument(snapshot(), approver, asked),
      };
    }),
    maintenanceSchedule: (exchange: Exchange) =>
      sendJson(
        exchange,
        MaintenanceScheduleCodec.write(maintenanceScheduleOf(state(), approverOf(exchange.principal))),
      ),
    maintenanceStatus: (exchange: Exchange) =>
      sendJson(
        exchange,
        MaintenanceClusterStatusCodec.write(maintenanceStatusOf(state(), approverOf(exchange.principal))),
      ),
    quota: (exchange: Exchange) =>
      sendJson(exchange, QuotaStatusCodec.write(quotaStatusOf(state(), approverOf(exchange.principal)))),
    weights: (exchange: Exchange) => {
      sendJson(exchange, jsonArray(weightsOf(state(), approverOf(exchange.principal)), WeightInfoCodec.write));
    },
  };
}

async function render(
  { renders, state }: V0ApiOptions,
  { response, query, match }: Exchange,
  view: ReturnType<View>,
  approver: Approver,
): Promise<void> {
  const name = match.endpoint.jsonp ? (query.get('jsonp') ?? undefined) : undefined;
  const wrapping = jsonWrapping(name);
  if (wrapping === undefined) {
    return refuse(response, refusal('badRequest', "Parameter 'jsonp': expected the name of a function"));
  }
  const rendering = await renders.render({
    key: JSON.stringify([view.key, approver.key, wrapping.before]),
    keep: view.isFiltered !== true && name === undefined,
    version: () => state().version,
    start: (earlier: Remembered | undefined) => wrapped(view.start(earlier), wrapping),
  });
  return renders.send(response, 200, { 'Content-Type': wrapping.contentType }, rendering);
}

function* wrapped(
  pieces: Pieces | Document,
  { before, after }: { readonly before: string; readonly after: string },
): Generator<string | Uint8Array, Remembered | undefined> {
  const begun = pieces.next();
  yield before;
  if (begun.done !== true) yield begun.value;
  const remembered = yield* pieces;
  yield after;
  return remembered ?? undefined;
}
