// What a component answers, as lists for documents: its endpoints, and the calls of each endpoint that takes calls.
import { agentCalls } from './agent-calls.js';
import { agentEndpoints, masterEndpoints } from './endpoints.js';
import { masterCalls } from './master-calls.js';
import { executorCalls, schedulerCalls } from './scheduler-calls.js';
import type { CallDefinition, Component, EndpointDefinition } from './types.js';

export const componentEndpoints = (component: Component): readonly EndpointDefinition[] =>
  Object.values(component === 'master' ? masterEndpoints : agentEndpoints);

type AnyCall = CallDefinition<unknown, unknown>;
type AnyCalls = { readonly [type: string]: AnyCall };

/** By type; none for resource providers. */
export function callsOf(component: Component, calls: EndpointDefinition['calls']): AnyCalls {
  switch (calls) {
    case 'operator':
      return (component === 'master' ? masterCalls : agentCalls) as unknown as AnyCalls;
    case 'scheduler':
      return schedulerCalls as unknown as AnyCalls;
    case 'executor':
      return executorCalls as unknown as AnyCalls;
    default:
      return {};
  }
}
