// The Docker launcher: a container is one of the Docker engine, which this agent asks over its HTTP API. The engine keeps
// containers, their output and their exit codes while no agent runs.
//
// Owns: the containers with this agent's label in the engine, and one file for each in its directory (state-files.ts).
// Boundary: it uses the machine through ports only. Every event is reported by `onEvent`, never during a call.
// DOCKER-1: an accepted container ends in one `launchFailed` or one `exited`.
// DOCKER-2: a container's file is on disk before the engine is asked for it, and is removed when the agent forgets it. So a
//   container of the engine without one was reported, or is an orphan.
import type { ContainerId, Result, SendLocalRequest } from '@meseta/base';
import { err, ok } from '@meseta/base';
import { createConcurrencyLimit } from '../../concurrency.js';
import type { ContainerRecord } from '../../lifecycle.js';
import type { RecoveredContainer } from '../../types.js';
import type { Launcher } from '../launcher.js';
import type { DockerPlan } from './docker-plan.js';
import { checkEnd, followOutput, killUntilEnded, removeLater } from './endings.js';
import { createEngine, type Engine, type ExecCommand, type FinishedExec } from './engine.js';
import type { EngineResult } from './engine-calls.js';
import type { Listed } from './engine-responses.js';
import type { RegistryCredentials } from './image-names.js';
import { endOf, factsOf, hostOf, isRunning, pidOf } from './inspected.js';
import { limitChange } from './limits.js';
import { START } from './output.js';
import { serializeRequest } from './request.js';
import {
  type Container,
  type DockerLauncherOptions,
  type DockerState,
  idOf,
  nameOf,
  newContainer,
  pause,
  store,
} from './state.js';
import { createStateFiles, type StoredContainer } from './state-files.js';
import { labelOf, removeUnknown, watchEngine } from './watching.js';

export interface DockerLauncher extends Omit<Launcher, 'launch' | 'exec' | 'processes' | 'send'> {
  /** Why the engine did not answer at the start. */
  readonly problem: string | undefined;
  launch(containerId: ContainerId, plan: DockerPlan): void;
  update(record: ContainerRecord): void;
  /** What the engine measures; undefined if it doesn't answer or the container doesn't run. */
  stats(containerId: ContainerId): Promise<unknown>;
  exec(containerId: ContainerId, command: ExecCommand, timeoutMs: number): EngineResult<FinishedExec>;
  /** The address at which this machine reaches the container's ports. */
  host(containerId: ContainerId, ipv6: boolean): Promise<Result<string, string>>;
}

/** How many containers are created and started at the same time. */
const MAX_LAUNCHES = 16;
const MAX_INSPECTIONS = 16;
/** A start of the machine starts agent and engine at the same time. */
const START_ATTEMPTS = 10;
const START_RETRY_MS = 1000;
const SIGTERM = 15;

type Limit = ReturnType<typeof createConcurrencyLimit>;

function reportFailed(state: DockerState, container: Container, message: string): void {
  container.phase = 'ended';
  state.options.onEvent({ kind: 'launchFailed', containerId: container.containerId, message });
}

/** Pulls, creates and starts a container. Returns why that failed. */
async function start(
  state: DockerState,
  container: Container,
  plan: DockerPlan,
  limitLaunches: Limit,
): Promise<string | undefined> {
  const { engine } = state;
  const name = nameOf(container.containerId);
  const isAborted = (): boolean => container.isDestroyed;
  const unwritten = await store(state, container);
  if (unwritten !== undefined) return `runtime directory: ${unwritten}`;
  const startMs = performance.now();
  const provided = await engine.provideImage(plan.image, plan.forcePull, container.abort.signal);
  state.options.onPulled(performance.now() - startMs);
  if (isAborted()) return 'destroyed before it was launched';
  if (!provided.ok) return `image: ${provided.error.message}`;
  return limitLaunches(async () => {
    if (isAborted()) return 'destroyed before it was launched';
    const created = await engine.create(name, serializeRequest(plan.request));
    const started = created.ok && !isAborted() ? await engine.start(name) : created;
    if (started.ok && !isAborted()) return undefined;
    if (!started.ok && started.error.kind === 'unreachable' && (await wasStarted(state, name))) return undefined;
    await engine.remove(name);
    return started.ok ? 'destroyed before it was launched' : started.error.message;
  });
}

/** Whether a request was carried out whose answer was lost; waits until the engine answers. */
async function wasStarted(state: DockerState, name: string): Promise<boolean> {
  while (!state.isClosed) {
    const found = await state.engine.inspect(name);
    if (found.ok) return found.value !== undefined && found.value.container.State.Status !== 'created';
    await pause(state, START_RETRY_MS);
  }
  return false;
}

async function launch(state: DockerState, container: Container, plan: DockerPlan, limitLaunches: Limit): Promise<void> {
  const problem = await start(state, container, plan, limitLaunches);
  if (state.isClosed) return;
  if (problem !== undefined) return reportFailed(state, container, problem);
  const found = await state.engine.inspect(nameOf(container.containerId));
  const inspected = found.ok ? found.value : undefined;
  const pid = inspected === undefined ? 0 : pidOf(inspected.container);
  container.pid = pid;
  container.stopSignal = inspected?.container.Config.StopSignal || container.stopSignal;
  await store(state, container);
  await followOutput(state, container, START);
  const facts = inspected && factsOf(inspected.container, inspected.json, container.networkInfo);
  // An end is not looked at before, so that it is reported after the start.
  container.phase = 'running';
  state.options.onEvent({ kind: 'started', containerId: container.containerId, pid, ...(facts && { facts }) });
  for (const signal of container.pendingSignals.splice(0)) await sendSignal(state, container, signal);
  if (container.isDestroyed) void killUntilEnded(state, container);
  else await checkEnd(state, container);
}

async function sendSignal({ engine }: DockerState, container: Container, signal: number): Promise<void> {
  await engine.kill(nameOf(container.containerId), signal === SIGTERM ? container.stopSignal : String(signal));
}

/** Connects to the engine. Where no engine answers, launches fail until one does. */
export async function createDockerLauncher(
  options: DockerLauncherOptions & {
    readonly send: SendLocalRequest;
    readonly socket: string;
    readonly credentials: RegistryCredentials;
  },
): Promise<Result<DockerLauncher, string>> {
  const made = await options.files.makeDirectory(options.directory, 0o700);
  if (!made.ok) return err(`runtime directory: ${made.error.message}`);
  const engine = createEngine(options.send, options.socket, options.credentials);
  const state: DockerState = {
    options,
    engine,
    stored: createStateFiles(options.files, options.directory),
    containers: new Map(),
    removals: [],
    cancelRemoval: () => {},
    isClosed: false,
    closing: new AbortController(),
  };
  const connected = await engine.connect();
  void watchEngine(state, connected.ok);
  return ok(createCalls(state, engine, connected.ok ? undefined : connected.error.message));
}

function createCalls(state: DockerState, engine: Engine, problem: string | undefined): DockerLauncher {
  const { containers } = state;
  const limitLaunches = createConcurrencyLimit(MAX_LAUNCHES);
  return {
    problem,
    launch(containerId, plan) {
      const { sandbox, networkInfo, request } = plan;
      const memoryBytes = request.HostConfig.Memory ?? 0;
      const container = newContainer({ containerId, sandbox, phase: 'launching', networkInfo, memoryBytes });
      containers.set(containerId, container);
      void launch(state, container, plan, limitLaunches);
    },
    signal(containerId, signal) {
      const container = containers.get(containerId);
      if (container?.phase === 'launching' && !container.pendingSignals.includes(signal)) {
        container.pendingSignals.push(signal);
      }
      if (container?.phase === 'running') void sendSignal(state, container, signal);
    },
    destroy(containerId) {
      const container = containers.get(containerId);
      if (container === undefined || container.isDestroyed) return;
      container.isDestroyed = true;
      container.abort.abort();
      void killUntilEnded(state, container);
    },
    remove(containerId) {
      if (containers.get(containerId)?.phase !== 'ended') return;
      containers.delete(containerId);
      void state.stored.remove(containerId);
    },
    update: (record) => void update(state, record),
    async stats(containerId) {
      const stats = await engine.stats(nameOf(containerId));
      return stats.ok ? stats.value : undefined;
    },
    exec: (containerId, command, timeoutMs) => engine.exec(nameOf(containerId), command, timeoutMs),
    async host(containerId, ipv6) {
      const found = await engine.inspect(nameOf(containerId));
      if (!found.ok) return err(found.error.message);
      const host = found.value && hostOf(found.value.container, ipv6);
      return host === undefined ? err(`the container has no IPv${ipv6 ? 6 : 4} address`) : ok(host);
    },
    recover: () => recover(state),
    close: () => close(state),
  };
}

/** As in Mesos, the hard limit of memory only grows. */
async function update(state: DockerState, record: ContainerRecord): Promise<void> {
  const container = state.containers.get(record.containerId);
  if (container?.phase !== 'running') return;
  const change = limitChange(record, state.options, container.memoryBytes);
  const updated = await state.engine.update(nameOf(record.containerId), change);
  if (!updated.ok)
    return state.options.warn(`container ${record.containerId}: its limits are not changed: ${updated.error.message}`);
  container.memoryBytes = change.Memory ?? container.memoryBytes;
}

async function close(state: DockerState): Promise<void> {
  state.isClosed = true;
  state.closing.abort();
  state.cancelRemoval();
  for (const container of state.containers.values()) {
    container.abort.abort();
    container.output?.stop();
    if (container.phase === 'running' || container.phase === 'ending') await store(state, container);
  }
}

/** The containers with a file. While the engine doesn't answer, they are taken as running. */
async function recover(state: DockerState): Promise<readonly RecoveredContainer[]> {
  const stored = await state.stored.readAll();
  const listed = await listContainers(state, stored.size > 0);
  if (listed === undefined) return [...stored].map(([id, each]) => assumeRunning(state, id, each));
  const byId = new Map(listed.map((container) => [idOf(container.Names), container]));
  const limit = createConcurrencyLimit(MAX_INSPECTIONS);
  const recovered = await Promise.all(
    [...stored].map(([id, each]) => limit(() => recoverOne(state, id, each, byId.get(id)))),
  );
  await removeUnknown(
    state,
    listed.filter(({ Names }) => !stored.has(idOf(Names) as ContainerId)),
  );
  return recovered.filter((it) => it !== undefined);
}

async function listContainers(state: DockerState, isNeeded: boolean): Promise<readonly Listed[] | undefined> {
  for (let attempt = 1; !state.isClosed; attempt++) {
    const listed = await state.engine.list(labelOf(state));
    if (listed.ok) return listed.value;
    if (!isNeeded || attempt === START_ATTEMPTS) return undefined;
    await pause(state, START_RETRY_MS);
  }
  return undefined;
}

function assumeRunning(state: DockerState, containerId: ContainerId, stored: StoredContainer): RecoveredContainer {
  const { sandbox, pid = 0 } = stored;
  const container = newContainer({ containerId, sandbox, phase: 'running', networkInfo: undefined, memoryBytes: 0 });
  state.containers.set(containerId, container);
  container.pid = pid;
  void followOutput(state, container, stored.output);
  return { containerId, state: 'running', pid };
}

/** undefined: it was never started, and is gone. */
async function recoverOne(
  state: DockerState,
  containerId: ContainerId,
  stored: StoredContainer,
  listed: Listed | undefined,
): Promise<RecoveredContainer | undefined> {
  const name = nameOf(containerId);
  if (listed?.State === 'created' || (listed === undefined && stored.pid === undefined)) {
    await state.engine.remove(name);
    await state.stored.remove(containerId);
    return undefined;
  }
  const found = await state.engine.inspect(name);
  if (!found.ok) return assumeRunning(state, containerId, stored);
  const { sandbox } = stored;
  const known = found.value?.container;
  const memoryBytes = known?.HostConfig.Memory ?? 0;
  const isAlive = known !== undefined && isRunning(known);
  const container = newContainer({
    containerId,
    sandbox,
    phase: isAlive ? 'running' : 'ended',
    networkInfo: undefined,
    memoryBytes,
  });
  state.containers.set(containerId, container);
  if (known === undefined) return { containerId, state: 'ended', status: { kind: 'unknown' } };
  container.pid = pidOf(known) || stored.pid;
  container.stopSignal = known.Config.StopSignal || container.stopSignal;
  await followOutput(state, container, stored.output);
  if (isAlive) return { containerId, state: 'running', pid: container.pid ?? 0 };
  await finishOutput(state, container);
  removeLater(state, name);
  return { containerId, state: 'ended', ...endOf(known) };
}

/** Writes the rest of the output of a container that ended while no agent ran. */
async function finishOutput(state: DockerState, { output }: Container): Promise<void> {
  output?.end();
  await Promise.race([output?.done, pause(state, 10 * START_RETRY_MS)]);
  output?.stop();
}
