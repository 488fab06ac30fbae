// A containerizer whose lifecycle is the real one, over fake containers. Its steps take no time; a fault may end the process
// of the agent before any of them.
//
// Owns: the records, which are on disk and outlive the process, and the state of the lifecycle, which ends with it.
// FAKE-CONTAINERIZER-1: every effect of the lifecycle is carried out at once and in order, or the process ends before it.
import type { ContainerId } from '@meseta/base';
import {
  type ContainerRecord,
  type LifecycleEffect,
  type LifecycleInput,
  type LifecycleState,
  stepLifecycle,
} from '@meseta/containers/lifecycle';
import type { LaunchPlan } from '@meseta/containers/plan/plan';
import type { ContainerEvent, ContainerSpec, RecoveredContainer } from '@meseta/containers/types';
import type { FakeContainers } from './containers.js';

export type StepKind = LifecycleEffect['kind'];

export interface FakeContainerizer {
  /** Before `startProcess` and after `endProcess` inputs are ignored. */
  input(input: LifecycleInput): void;
  /** Starts with what the process before left; `report` gets the events. Returns the recovered containers. */
  startProcess(report: (event: ContainerEvent) => void): readonly RecoveredContainer[];
  endProcess(): void;
  /** The machine has lost its runtime directory, which is in memory. */
  powerOff(): void;
  /** Called once, before the next effect of this kind; it may end the process. */
  beforeNext: { readonly step: StepKind; run(): void } | undefined;
  readonly records: ReadonlyMap<ContainerId, ContainerRecord>;
}

/** What the fake launcher makes of a specification is in the specification. */
const PLAN: LaunchPlan = {
  program: 'sh',
  argv: ['sh'],
  environment: {},
  directory: { path: '/', identity: '0:0' },
  owner: undefined,
  rlimits: [],
  cgroup: undefined,
  cgroups: [],
  linux: undefined,
};

interface Process {
  readonly state: LifecycleState;
  /** Of containers that are being prepared. */
  readonly specs: Map<ContainerId, ContainerSpec>;
  readonly report: (event: ContainerEvent) => void;
  recovered: readonly RecoveredContainer[];
}

interface Ports {
  readonly containers: FakeContainers;
  readonly records: Map<ContainerId, ContainerRecord>;
  readonly launchProblem: () => string | undefined;
  input(input: LifecycleInput): void;
}

/** Carries out an effect; the answer is the next input. */
function performEffect(
  { containers, records, input, launchProblem }: Ports,
  process: Process,
  effect: LifecycleEffect,
): void {
  const { specs, report } = process;
  switch (effect.kind) {
    case 'prepare': {
      const { containerId } = effect.record;
      records.set(containerId, effect.record);
      specs.set(containerId, effect.spec);
      return input({ kind: 'prepared', containerId, plan: PLAN });
    }
    case 'fetch':
      return input({ kind: 'fetched', containerId: effect.spec.containerId, plan: effect.plan });
    case 'start': {
      const spec = specs.get(effect.containerId);
      specs.delete(effect.containerId);
      if (spec !== undefined) containers.launch(spec, launchProblem());
      return;
    }
    case 'signal':
      return containers.signal(effect.containerId, effect.signal);
    case 'destroy':
      if (effect.record !== undefined) records.set(effect.containerId, effect.record);
      return containers.destroy(effect.containerId);
    case 'cleanUp':
      return input({ kind: 'cleanedUp', containerId: effect.containerId });
    case 'remove':
      containers.remove(effect.containerId);
      records.delete(effect.containerId);
      return;
    case 'report':
      return report(effect.event);
    case 'recovered':
      process.recovered = effect.containers;
      return;
    case 'abort':
    case 'watch':
    case 'update':
      return;
  }
}

/** `launchProblem`: why launches fail now. */
export function createFakeContainerizer(
  containers: FakeContainers,
  launchProblem: () => string | undefined = () => undefined,
): FakeContainerizer {
  const records = new Map<ContainerId, ContainerRecord>();
  let process: Process | undefined;

  function input(it: LifecycleInput): void {
    const current = process;
    if (current === undefined) return;
    for (const effect of stepLifecycle(current.state, it)) {
      const { beforeNext } = containerizer;
      if (beforeNext?.step === effect.kind) {
        containerizer.beforeNext = undefined;
        beforeNext.run();
      }
      if (process !== current) return;
      performEffect(ports, current, effect);
    }
  }

  const ports: Ports = { containers, records, launchProblem, input };
  const containerizer: FakeContainerizer = {
    beforeNext: undefined,
    records,
    input,
    startProcess(report) {
      const launched = containers.recover();
      const { beforeNext } = containerizer;
      // The agent has no process yet that a fault could end.
      containerizer.beforeNext = undefined;
      const started: Process = { state: new Map(), specs: new Map(), report, recovered: [] };
      process = started;
      containers.listener = (event) => input({ kind: 'launcher', event });
      input({ kind: 'recover', records: [...records.values()], launched });
      containerizer.beforeNext = beforeNext;
      return started.recovered;
    },
    endProcess() {
      process = undefined;
      containers.listener = undefined;
    },
    powerOff() {
      containers.powerOff();
      records.clear();
    },
  };
  return containerizer;
}
