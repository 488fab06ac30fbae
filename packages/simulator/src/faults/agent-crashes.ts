// An agent's process is killed, or its host loses power.
// Draws: the agent, how long it is down, and whether it crashes with the next write of its checkpoint, before that is
//     on disk.
// Effect: writes that are not synced may be lost; without power the containers end too, and no peer is notified.
// Ends: the agent starts again after that time, which may be long after the fault phase.
import { type Crash, crashAtWrite, drawCrash } from './crash.js';
import { agentFault, type FaultKind } from './fault.js';

interface AgentCrash<Kind> extends Crash {
  readonly kind: Kind;
  readonly agent: number;
}

export type KillAgent = AgentCrash<'killAgent'>;
export type PowerOffAgent = AgentCrash<'powerOffAgent'>;

const agentCrash = <Kind extends string>(kind: Kind, how: 'killed' | 'powerOff'): FaultKind<AgentCrash<Kind>> =>
  agentFault(kind, drawCrash, {
    inject({ world, agents }, fault) {
      const agent = agents.get(fault.agent);
      if (agent === undefined) return false;
      const isRunning = agent.core !== undefined;
      crashAtWrite(world, fault.atWrite ? agent.disk : undefined, () => agent.crash(how, fault.downMs));
      return isRunning;
    },
    heal({ agents }) {
      for (const { disk } of agents.values()) disk.onNextWrite = undefined;
    },
  });

export const killAgent: FaultKind<KillAgent> = agentCrash('killAgent', 'killed');
export const powerOffAgent: FaultKind<PowerOffAgent> = agentCrash('powerOffAgent', 'powerOff');
