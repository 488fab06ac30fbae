// An agent in the v0 documents, and /slaves.
import { merge, reservationsByRole, toEndpointFormat, unreserved } from '@meseta/resources';
import { agentInfoFields, resourcesJson, secondsJson, stringsJson } from '@meseta/resources/v0-json';
import type { Resource } from '@meseta/wire';
import { DrainInfoCodec, ResourceCodec } from '@meseta/wire/codecs';
import { type JsonFields, jsonArray, jsonBool, jsonIfSet, jsonObject, jsonString } from '@meseta/wire/json';
import { infoOfRecovered } from '../core/agents/records.js';
import { type Agent, isActive } from '../core/state.js';
import { type Approver, seesResource } from './approver.js';
import { separated } from './pieces.js';
import { createLists, type Document, jsonElements, type Remembered } from './runs.js';
import { type AgentUse, agentViews, type Snapshot, useOf } from './snapshot.js';

const byRole = (agent: Agent, approver: Approver, write: (list: readonly Resource[]) => string): string =>
  jsonObject(
    [...reservationsByRole(agent.totalResources)]
      .filter(([role]) => approver.role(role))
      .map(([role, list]) => [role, write(list)]),
  );

/** The fields of an agent, without braces, so that a document can add more. */
export const agentFields = (agent: Agent, use: AgentUse, approver: Approver): JsonFields => [
  ...agentInfoFields(agent.info),
  ['pid', jsonString(agent.pid)],
  ['registered_time', secondsJson(agent.registeredAtMs)],
  ['reregistered_time', jsonIfSet(agent.reregisteredAtMs, secondsJson)],
  ['resources', resourcesJson(agent.totalResources)],
  ['used_resources', resourcesJson(use.used)],
  ['offered_resources', resourcesJson(use.offered)],
  ['reserved_resources', byRole(agent, approver, resourcesJson)],
  ['unreserved_resources', resourcesJson(unreserved(agent.totalResources))],
  ['active', jsonBool(isActive(agent))],
  ['deactivated', jsonBool(agent.deactivated)],
  ['version', jsonString(agent.version)],
  ['capabilities', stringsJson([...agent.capabilities])],
  ['drain_info', jsonIfSet(agent.drainInfo, DrainInfoCodec.write)],
  [
    'estimated_drain_start_time_seconds',
    agent.drainInfo === undefined ? undefined : jsonIfSet(agent.drainStartedAtMs, secondsJson),
  ],
];

/** Resources in full, as needed to unreserve them or to destroy volumes. */
function fullFields(agent: Agent, use: AgentUse, approver: Approver): JsonFields {
  const full = (list: readonly Resource[]): string =>
    jsonArray(
      toEndpointFormat(merge(list.filter((resource) => seesResource(approver, resource)))),
      ResourceCodec.write,
    );
  return [
    ['reserved_resources_full', byRole(agent, approver, full)],
    ['unreserved_resources_full', full(unreserved(agent.totalResources))],
    ['used_resources_full', full(use.used)],
    ['offered_resources_full', full(use.offered)],
  ];
}

/** /slaves; `agentId` limits it to one. */
export function* agentsDocument(
  snapshot: Snapshot,
  approver: Approver,
  agentId: string | undefined,
  earlier: Remembered | undefined,
): Document {
  const lists = createLists(earlier?.lists);
  const agents = yield* agentViews(snapshot, earlier?.agents);
  const wanted = ({ id }: { readonly id: string }): boolean => agentId === undefined || id === agentId;
  const shown = agents.filter(({ agent }) => wanted(agent));
  yield '{"slaves":[';
  yield* jsonElements(lists, 'slaves', shown, (view) => {
    const use = useOf(view);
    return jsonObject([...agentFields(view.agent, use, approver), ...fullFields(view.agent, use, approver)]);
  });
  yield '],"recovered_slaves":[';
  yield* separated(snapshot.recoveredAgents.filter(wanted), (agent) =>
    jsonObject(agentInfoFields(infoOfRecovered(agent))),
  );
  yield ']}';
  return { lists: lists.written, agents };
}
