// An agent's process crashes between two steps of a container's lifecycle.
// Draws: the agent, before which step, and how long it is down.
// Effect: the process is killed right before the next step of this kind; records that are on disk stay, containers run on.
// Ends: the agent starts again after that time. A step that did not come until the end of the fault phase ends nothing.
import { pick } from '../engine/chance.js';
import type { StepKind } from '../engine/containerizer.js';
import { agentFault, drawDownMs, type FaultKind } from './fault.js';

const STEPS = [
  'prepare',
  'start',
  'watch',
  'destroy',
  'cleanUp',
  'report',
  'remove',
] as const satisfies readonly StepKind[];

export interface CrashAtStep {
  readonly kind: 'crashAtStep';
  readonly agent: number;
  readonly step: (typeof STEPS)[number];
  readonly downMs: number;
}

export const crashAtStep: FaultKind<CrashAtStep> = agentFault(
  'crashAtStep',
  (random) => ({ step: pick(random, STEPS), downMs: drawDownMs(random) }),
  {
    inject({ world, agents }, { agent: index, step, downMs }) {
      const agent = agents.get(index);
      if (agent === undefined) return false;
      agent.containerizer.beforeNext = {
        step,
        run() {
          world.count('crashes between steps of containers');
          agent.crash('killed', downMs);
        },
      };
      return agent.core !== undefined;
    },
    heal({ agents }) {
      for (const { containerizer } of agents.values()) containerizer.beforeNext = undefined;
    },
  },
);
