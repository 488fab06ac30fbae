// The endpoints of a component and the calls of each endpoint as lists, for documents.
import { agentCalls } from './agent-calls.js';
import { agentEndpoints, masterEndpoints } from './endpoints.js';
import { masterCalls } from './master-calls.js';
import { executorCalls, schedulerCalls } from './scheduler-calls.js';
import type { CallDefinition, Component, EndpointDefinition } from './types.js';

export const componentEndpoints = (component: Component): readonly EndpointDefinition[] =>
  Object.values(component === 'master' ? masterEndpoints : agentEndpoints);

/** A call of any API, as a document describes it. */
interface DescribedCall extends Pick<CallDefinition<unknown, unknown>, 'access' | 'summary'> {
  readonly request?: string;
}

/** The calls by type; none for resource providers. */
export function callsOf(
  component: Component,
  calls: EndpointDefinition['calls'],
): { readonly [type: string]: DescribedCall } {
  switch (calls) {
    case 'operator':
      return component === 'master' ? masterCalls : agentCalls;
    case 'scheduler':
      return schedulerCalls;
    case 'executor':
      return executorCalls;
    default:
      return {};
  }
}
