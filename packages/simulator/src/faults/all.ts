// Every kind of fault, and the functions that draw, inject and end them.
import { QUIET_NETWORK } from '../engine/network.js';
import type { Cluster } from '../run/cluster.js';
import { type KillAgent, killAgent, type PowerOffAgent, powerOffAgent } from './agent-crashes.js';
import { type AgentLeaves, agentLeaves } from './agent-leaves.js';
import { type SkewAgent, type SkewMaster, skewAgent, skewMaster } from './clock-skews.js';
import { type Break, breakConnections, type Cut, cut } from './connections.js';
import { type CoordinationOutage, coordinationOutage } from './coordination-outages.js';
import { type CrashAtStep, crashAtStep } from './crash-at-step.js';
import { type ExpiredSession, expiredSession } from './expired-sessions.js';
import { drawFaults, type FaultKind, type Shape } from './fault.js';
import { type FullDisk, fullDisk } from './full-disk.js';
import { type LostAnswer, lostAnswer } from './lost-answers.js';
import { type KillMaster, killMaster, type PowerOffMaster, powerOffMaster } from './master-crashes.js';
import { type OperatorFault, operatorActions } from './operator.js';
import { type PauseLeader, pauseLeader } from './paused-leaders.js';
import { type PauseAgent, type PauseMaster, pauseAgent, pauseMaster } from './pauses.js';
import { type RefusedActions, refusedActions } from './refused-actions.js';
import { type ResizeAgent, resizeAgent } from './resize-agent.js';
import { type SlowDisk, slowDisk } from './slow-disk.js';
import { type SlowRegistry, slowRegistry } from './slow-registry.js';
import { type SplitLeadership, splitLeadership } from './split-leadership.js';
import { type StaleLeader, staleLeader } from './stale-leaders.js';
import { type StaleReads, staleReads } from './stale-reads.js';

type Drawn =
  | KillAgent
  | PowerOffAgent
  | CrashAtStep
  | AgentLeaves
  | ResizeAgent
  | PauseAgent
  | SkewAgent
  | SlowDisk
  | FullDisk
  | KillMaster
  | PowerOffMaster
  | PauseMaster
  | SkewMaster
  | SlowRegistry
  | LostAnswer
  | ExpiredSession
  | StaleLeader
  | StaleReads
  | SplitLeadership
  | PauseLeader
  | CoordinationOutage
  | Cut
  | Break
  | RefusedActions
  | OperatorFault;

export type Fault = { readonly atMs: number } & Drawn;

const FAULT_KINDS: readonly FaultKind<Drawn>[] = [
  killAgent,
  powerOffAgent,
  crashAtStep,
  agentLeaves,
  resizeAgent,
  pauseAgent,
  skewAgent,
  slowDisk,
  fullDisk,
  killMaster,
  powerOffMaster,
  pauseMaster,
  skewMaster,
  slowRegistry,
  lostAnswer,
  expiredSession,
  staleLeader,
  staleReads,
  splitLeadership,
  pauseLeader,
  coordinationOutage,
  cut,
  breakConnections,
  refusedActions,
  ...operatorActions,
];

const KIND_BY_NAME: ReadonlyMap<string, FaultKind<Drawn>> = new Map(FAULT_KINDS.map((kind) => [kind.name, kind]));

/** The faults of a seed, in the order of their times. Variations add to them. */
export const faultsOf = (seed: number, shape: Shape, kinds = FAULT_KINDS): readonly Fault[] =>
  kinds.flatMap((kind) => drawFaults(seed, kind, shape)).sort((a, b) => a.atMs - b.atMs);

const nameOf = (fault: Fault): string => (fault.kind === 'operator' ? `operator ${fault.action.kind}` : fault.kind);

const countNameOf = (fault: Fault): string =>
  fault.kind === 'cut' ? `cut ${fault.ways === 'both' ? 'both ways' : 'one way'}` : nameOf(fault);

export function scheduleFaults(cluster: Cluster): void {
  const { world, plan } = cluster;
  for (const fault of plan.faults.values()) {
    world.timeline.at(fault.atMs, () => {
      const { atMs: _, ...shown } = fault;
      world.journal.record('faults', fault.kind, shown);
      if (KIND_BY_NAME.get(nameOf(fault))?.inject(cluster, fault) === true) world.count(`fault: ${countNameOf(fault)}`);
    });
  }
}

/** Ends all faults, and tells the frameworks to start no more work. */
export function healAll(cluster: Cluster): void {
  const { world, frameworks } = cluster;
  world.journal.record('faults', 'all faults healed');
  world.network.options = QUIET_NETWORK;
  for (const { heal } of FAULT_KINDS) heal?.(cluster);
  for (const framework of frameworks.values()) framework.quiesce();
}
