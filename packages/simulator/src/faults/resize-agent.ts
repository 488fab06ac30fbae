// An agent restarts with other resources.
// Draws: the agent, its new size, and whether its host is rebooted.
// Effect: the agent restarts after 3 s. Without a reboot no resource shrinks: the agent would refuse to recover tasks
//     that no longer fit.
// Ends: never.
import { happens } from '../engine/chance.js';
import { type AgentSize, drawSize } from '../nodes/agent-size.js';
import { agentFault, type FaultKind } from './fault.js';

export interface ResizeAgent {
  readonly kind: 'resizeAgent';
  readonly agent: number;
  readonly size: AgentSize;
  readonly reboot: boolean;
}

const largest = (a: AgentSize, b: AgentSize): AgentSize => ({
  cpus: Math.max(a.cpus, b.cpus),
  mem: Math.max(a.mem, b.mem),
  disk: Math.max(a.disk, b.disk),
});

export const resizeAgent: FaultKind<ResizeAgent> = agentFault(
  'resizeAgent',
  (random) => ({ size: drawSize(random), reboot: happens(random, 0.5) }),
  {
    inject({ agents }, { agent: index, size, reboot }) {
      const agent = agents.get(index);
      if (agent === undefined) return false;
      const isRunning = agent.core !== undefined;
      agent.size = reboot ? size : largest(agent.size, size);
      agent.crash(reboot ? 'powerOff' : 'killed', 3_000);
      return isRunning;
    },
  },
);
