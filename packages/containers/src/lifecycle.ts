// The lifecycle of containers, the same for every launcher: prepare, fetch, start, watch, destroy, clean up, remove. A
// synchronous state machine: it turns calls, and the results of its effects, into effects. The containerizer carries them
// out with files and processes, the simulator on a virtual clock.
//
// Owns: the record of each container. Boundary: it starts nothing itself; every effect is safe to repeat.
// LIFECYCLE-1: an accepted container ends in one `launchFailed` or one `exited`.
// LIFECYCLE-2: a container's record is on disk before anything is done for it, and its limitation before it is destroyed for
//   that. After a crash, what was not started is undone, and what was started runs on or has its end reported.
// LIFECYCLE-3: isolators have cleaned up before an end is reported: what the container used can be given to another.
// LIFECYCLE-4: repeated calls grow neither the state nor what is on disk.
import type { ContainerId } from '@meseta/base';
import type { Resource } from '@meseta/wire';
import type { LauncherEvent } from './launchers/launcher.js';
import type { AnyPlan } from './plan/any-plan.js';
import type {
  ContainerEvent,
  ContainerResources,
  ContainerSpec,
  Limitation,
  PersistentVolume,
  RecoveredContainer,
} from './types.js';

/** The record of a container, on disk while the container exists. */
export interface ContainerRecord {
  readonly containerId: ContainerId;
  readonly sandbox: string;
  readonly user: string | undefined;
  /** The resources at its launch; the agent repeats later changes after a restart (`update`). */
  readonly resources: readonly Resource[];
  readonly volumes: readonly PersistentVolume[];
  readonly limits?: ContainerSpec['limits'];
  /** The container whose cgroups it shares, and resources that all containers which share them have together. */
  readonly sharedCgroup?: { readonly containerId: ContainerId; readonly resources: readonly Resource[] } | undefined;
  /** The executor of the pod whose task it is. */
  readonly pod?: ContainerId | undefined;
  /** The exceeded limit for which the container is destroyed. */
  readonly limitation?: Limitation | undefined;
}

/**
 * preparing: its sandbox is made, its URIs are fetched; starting: the launcher has its plan; running: its first process was
 * forked; ending: isolators clean up; ended: its end was reported.
 */
type Phase = 'preparing' | 'starting' | 'running' | 'ending' | 'ended';

export interface LifecycleContainer {
  readonly record: ContainerRecord;
  readonly phase: Phase;
  readonly isDestroyed: boolean;
  /** Until it is started. */
  readonly spec?: ContainerSpec | undefined;
  /** To be sent as soon as the launcher has it. */
  readonly pendingSignals: readonly number[];
  /** Reported when isolators have cleaned up. */
  readonly end?: ContainerEvent | undefined;
}

export type LifecycleState = Map<ContainerId, LifecycleContainer>;

export type LifecycleInput =
  | { readonly kind: 'launch'; readonly spec: ContainerSpec }
  /** The answer to `prepare` and to `fetch`. */
  | { readonly kind: 'prepared' | 'fetched'; readonly containerId: ContainerId; readonly plan: AnyPlan }
  | {
      readonly kind: 'stepFailed';
      readonly containerId: ContainerId;
      readonly stage: 'fetch' | 'launch';
      readonly message: string;
    }
  | { readonly kind: 'launcher'; readonly event: LauncherEvent }
  /** An isolator found a limit exceeded. */
  | { readonly kind: 'limited'; readonly containerId: ContainerId; readonly limitation: Limitation }
  /** The answer to `cleanUp`. */
  | { readonly kind: 'cleanedUp'; readonly containerId: ContainerId }
  | ({ readonly kind: 'update'; readonly containerId: ContainerId } & ContainerResources)
  | { readonly kind: 'signal'; readonly containerId: ContainerId; readonly signal: number }
  | { readonly kind: 'destroy' | 'remove'; readonly containerId: ContainerId }
  /** The first input of a process: what the process before left. */
  | {
      readonly kind: 'recover';
      readonly records: readonly ContainerRecord[];
      readonly launched: readonly RecoveredContainer[];
    };

export type LifecycleEffect =
  /** Write the record, then make the sandbox and what isolators need; answered by `prepared` or `stepFailed`. */
  | { readonly kind: 'prepare'; readonly record: ContainerRecord; readonly spec: ContainerSpec }
  /** Fetch the URIs; answered by `fetched` or `stepFailed`. */
  | { readonly kind: 'fetch'; readonly spec: ContainerSpec; readonly plan: AnyPlan }
  /** End a `fetch` early. */
  | { readonly kind: 'abort'; readonly containerId: ContainerId }
  /** Give the plan to the launcher; answered by its events. */
  | { readonly kind: 'start'; readonly containerId: ContainerId; readonly plan: AnyPlan }
  /** Let isolators watch the container's limits; answered by `limited`. */
  | { readonly kind: 'watch' | 'update'; readonly record: ContainerRecord }
  | { readonly kind: 'signal'; readonly containerId: ContainerId; readonly signal: number }
  /** Write the record if it is given, then let the launcher destroy the container. */
  | { readonly kind: 'destroy'; readonly containerId: ContainerId; readonly record?: ContainerRecord }
  /** Let isolators remove what they made; answered by `cleanedUp`. */
  | { readonly kind: 'cleanUp'; readonly containerId: ContainerId }
  /** Remove the launcher's files, then the record. */
  | { readonly kind: 'remove'; readonly containerId: ContainerId }
  | { readonly kind: 'report'; readonly event: ContainerEvent }
  /** The answer to `recover`. */
  | { readonly kind: 'recovered'; readonly containers: readonly RecoveredContainer[] };

const MAX_SIGNAL = 64;

/** Ids become names of files and words of lines. */
const isValidId = (id: string): boolean => /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,240}$/.test(id);

export function recordOf(spec: ContainerSpec): ContainerRecord {
  const { containerId, sandbox, user, resources, volumes, limits, container, outer } = spec;
  const shares = outer !== undefined && container?.linux_info?.share_cgroups !== false;
  const sharedCgroup = shares && { containerId: outer.containerId, resources: outer.pod?.resources ?? [] };
  return {
    containerId,
    sandbox,
    user,
    resources,
    volumes,
    ...(limits === undefined ? {} : { limits }),
    ...(sharedCgroup === false ? {} : { sharedCgroup }),
    ...(outer?.pod === undefined ? {} : { pod: outer.containerId }),
  };
}

const limitationOf = ({ limitation }: ContainerRecord): Pick<ContainerRecord, 'limitation'> =>
  limitation === undefined ? {} : { limitation };

/** Changes the state, and returns the effects in their order. */
export function stepLifecycle(state: LifecycleState, input: LifecycleInput): readonly LifecycleEffect[] {
  switch (input.kind) {
    case 'launch':
      return launch(state, input.spec);
    case 'prepared':
    case 'fetched':
      return continueLaunch(state, input.containerId, input.kind, input.plan);
    case 'stepFailed':
      return end(state, input.containerId, { ...input, kind: 'launchFailed' });
    case 'launcher':
      return handleLauncherEvent(state, input.event);
    case 'limited':
      return limit(state, input.containerId, input.limitation);
    case 'cleanedUp':
      return reportEnd(state, input.containerId);
    case 'update':
      return update(state, input);
    case 'signal':
      return signal(state, input.containerId, input.signal);
    case 'destroy':
      return destroy(state, input.containerId);
    case 'remove':
      return remove(state, input.containerId);
    case 'recover':
      return recover(state, input.records, input.launched);
  }
}

function put(state: LifecycleState, before: LifecycleContainer, changes: Partial<LifecycleContainer>): void {
  state.set(before.record.containerId, Object.assign({}, before, changes));
}

function launch(state: LifecycleState, spec: ContainerSpec): readonly LifecycleEffect[] {
  const { containerId } = spec;
  const problem = isValidId(containerId)
    ? state.has(containerId) && 'is in use'
    : 'expected at most 241 letters, digits, "_", "-" and "."';
  if (problem !== false) {
    const message = `container id "${containerId}": ${problem}`;
    return [{ kind: 'report', event: { kind: 'launchFailed', containerId, stage: 'launch', message } }];
  }
  const record = recordOf(spec);
  state.set(containerId, { record, phase: 'preparing', isDestroyed: false, spec, pendingSignals: [] });
  return [{ kind: 'prepare', record, spec }];
}

function continueLaunch(
  state: LifecycleState,
  containerId: ContainerId,
  step: 'prepared' | 'fetched',
  plan: AnyPlan,
): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  if (container?.phase !== 'preparing' || container.spec === undefined) return [];
  const { spec, pendingSignals } = container;
  if (container.isDestroyed) {
    const message = 'destroyed before it was launched';
    return end(state, containerId, { kind: 'launchFailed', containerId, stage: 'launch', message });
  }
  if (step === 'prepared' && spec.uris.length > 0) return [{ kind: 'fetch', spec, plan }];
  put(state, container, { phase: 'starting', spec: undefined, pendingSignals: [] });
  const signals = pendingSignals.map((it): LifecycleEffect => ({ kind: 'signal', containerId, signal: it }));
  return [{ kind: 'start', containerId, plan }, ...signals];
}

function handleLauncherEvent(state: LifecycleState, event: LauncherEvent): readonly LifecycleEffect[] {
  const container = state.get(event.containerId);
  if (container === undefined) return [];
  const { record } = container;
  switch (event.kind) {
    case 'started':
      if (container.phase !== 'starting') return [];
      put(state, container, { phase: 'running' });
      return [
        { kind: 'report', event },
        { kind: 'watch', record },
      ];
    case 'launchFailed':
      return end(state, event.containerId, { ...event, stage: 'launch' });
    case 'exited':
      return end(state, event.containerId, { ...event, ...limitationOf(record) });
  }
}

/** LIFECYCLE-3. */
function end(state: LifecycleState, containerId: ContainerId, event: ContainerEvent): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  if (container === undefined || container.phase === 'ending' || container.phase === 'ended') return [];
  put(state, container, { phase: 'ending', spec: undefined, pendingSignals: [], end: event });
  return [{ kind: 'cleanUp', containerId }];
}

function reportEnd(state: LifecycleState, containerId: ContainerId): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  if (container?.phase !== 'ending' || container.end === undefined) return [];
  put(state, container, { phase: 'ended', end: undefined });
  return [{ kind: 'report', event: container.end }];
}

function limit(state: LifecycleState, containerId: ContainerId, limitation: Limitation): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  // The end of a container that was destroyed for another reason is reported as such.
  if (container?.phase !== 'running' || container.isDestroyed) return [];
  const record = { ...container.record, limitation };
  put(state, container, { record, isDestroyed: true });
  return [{ kind: 'destroy', containerId, record }];
}

function update(
  state: LifecycleState,
  { containerId, resources, limits }: Extract<LifecycleInput, { kind: 'update' }>,
): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  if (container === undefined) return [];
  const { limits: _before, ...kept } = container.record;
  const record = { ...kept, resources, ...(limits === undefined ? {} : { limits }) };
  put(state, container, { record });
  return container.phase === 'running' ? [{ kind: 'update', record }] : [];
}

/** The numbers come from calls: what is no signal is ignored. */
function signal(state: LifecycleState, containerId: ContainerId, number: number): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  if (container === undefined || !Number.isInteger(number) || number < 1 || number > MAX_SIGNAL) return [];
  const { phase, pendingSignals } = container;
  if (phase === 'preparing' && !pendingSignals.includes(number)) {
    put(state, container, { pendingSignals: [...pendingSignals, number] });
  }
  return phase === 'starting' || phase === 'running' ? [{ kind: 'signal', containerId, signal: number }] : [];
}

function destroy(state: LifecycleState, containerId: ContainerId): readonly LifecycleEffect[] {
  const container = state.get(containerId);
  if (container === undefined || container.phase === 'ending' || container.phase === 'ended') return [];
  put(state, container, { isDestroyed: true });
  return [{ kind: container.phase === 'preparing' ? 'abort' : 'destroy', containerId }];
}

function remove(state: LifecycleState, containerId: ContainerId): readonly LifecycleEffect[] {
  if (state.get(containerId)?.phase !== 'ended') return [];
  state.delete(containerId);
  return [{ kind: 'remove', containerId }];
}

/** LIFECYCLE-2. */
function recover(
  state: LifecycleState,
  records: readonly ContainerRecord[],
  launched: readonly RecoveredContainer[],
): readonly LifecycleEffect[] {
  const effects: LifecycleEffect[] = [];
  const unmatched = new Map(launched.map((container) => [container.containerId, container]));
  const recovered: RecoveredContainer[] = [];
  for (const record of records) {
    const { containerId } = record;
    const found = unmatched.get(containerId);
    unmatched.delete(containerId);
    if (found !== undefined) recovered.push(recoverOne(state, record, found, effects));
    // The container was not started, or its removal was not finished.
    else effects.push({ kind: 'cleanUp', containerId }, { kind: 'remove', containerId });
  }
  // Launched by a version without records.
  for (const found of unmatched.values()) {
    const record = { containerId: found.containerId, sandbox: '', user: undefined, resources: [], volumes: [] };
    recovered.push(recoverOne(state, record, found, effects));
  }
  effects.push({ kind: 'recovered', containers: recovered });
  return effects;
}

function recoverOne(
  state: LifecycleState,
  record: ContainerRecord,
  found: RecoveredContainer,
  effects: LifecycleEffect[],
): RecoveredContainer {
  const { containerId, limitation } = record;
  const phase = found.state;
  state.set(containerId, { record, phase, isDestroyed: limitation !== undefined, pendingSignals: [] });
  if (phase === 'ended') {
    effects.push({ kind: 'cleanUp', containerId });
    return { ...found, ...limitationOf(record) };
  }
  if (limitation === undefined) effects.push({ kind: 'watch', record });
  else effects.push({ kind: 'destroy', containerId });
  return found;
}
