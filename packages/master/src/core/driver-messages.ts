// Translates a v1 event into the libprocess message for a v0 driver.
import type { Pid } from '@meseta/base';
import { type AgentId, idOf, present } from '@meseta/base';
import type { AgentID, LibprocessMessage, SchedulerEvent } from '@meseta/wire';
import type { Context } from './context.js';
import type { Framework } from './state.js';

/** Undefined for events that drivers do not get (heartbeats, operation statuses) or get in another way (SUBSCRIBED). */
export function driverMessageOf(
  ctx: Context,
  framework: Framework,
  event: SchedulerEvent,
): LibprocessMessage | undefined {
  switch (event.type) {
    case 'OFFERS': {
      const offers = event.offers?.offers ?? [];
      return { name: 'ResourceOffersMessage', body: { offers, pids: offers.map((o) => pidOfAgent(ctx, o.agent_id)) } };
    }
    case 'INVERSE_OFFERS': {
      const inverse_offers = event.inverse_offers?.inverse_offers ?? [];
      const pids = inverse_offers.map((o) => (o.agent_id === undefined ? '' : pidOfAgent(ctx, o.agent_id)));
      return { name: 'InverseOffersMessage', body: { inverse_offers, pids } };
    }
    case 'RESCIND':
      return { name: 'RescindResourceOfferMessage', body: present(event.rescind, 'rescind') };
    case 'RESCIND_INVERSE_OFFER':
      return { name: 'RescindInverseOfferMessage', body: present(event.rescind_inverse_offer, 'rescind') };
    case 'FAILURE':
      return failureMessage(framework, event);
    case 'ERROR':
      return { name: 'FrameworkErrorMessage', body: { message: event.error?.message ?? '' } };
    case 'MESSAGE':
      return {
        name: 'ExecutorToFrameworkMessage',
        body: { ...present(event.message, 'message'), framework_id: framework.wireId },
      };
    default:
      return undefined;
  }
}

function failureMessage(framework: Framework, event: SchedulerEvent): LibprocessMessage | undefined {
  const { agent_id, executor_id, status } = event.failure ?? {};
  if (agent_id === undefined) return undefined;
  if (executor_id === undefined) return { name: 'LostAgentMessage', body: { agent_id } };
  const body = { agent_id, framework_id: framework.wireId, executor_id, status: status ?? -1 };
  return { name: 'ExitedExecutorMessage', body };
}

/** A driver that gets no pid of the agent sends its messages for executors to the master. */
const pidOfAgent = ({ state }: Context, agentId: AgentID): Pid | '' =>
  (state.options.agentsAcceptDriverMessages ? state.agents.registered.get(idOf<AgentId>(agentId))?.pid : undefined) ??
  '';
