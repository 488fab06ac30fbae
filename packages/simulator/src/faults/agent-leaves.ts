// An agent unregisters, as after SIGUSR1.
// Draws: the agent.
// Effect: the agent unregisters, ends its executors and exits.
// Ends: the agent starts again a few seconds later and registers under a new id.
import { anyAgent, type FaultKind } from './fault.js';

export interface AgentLeaves {
  readonly kind: 'leave';
  readonly agent: number;
}

export const agentLeaves: FaultKind<AgentLeaves> = {
  name: 'leave',
  share: 0.23,
  draw: (random, shape) => ({ kind: 'leave', agent: anyAgent(random, shape) }),
  inject({ agents }, { agent: index }) {
    const agent = agents.get(index);
    agent?.push({ kind: 'leave', message: 'the operator asked for it' });
    return agent?.core !== undefined;
  },
};
