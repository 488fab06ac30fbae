// The posix launcher: a container is a process group in a session of its own, without isolation.
//
// Owns: the records of its containers, their runtime files, the fifo of the supervisors' events, the spawner.
// Boundary: it uses the machine through ports only. Every event is reported by `onEvent`, never during a call.
// POSIX-1: an accepted container ends in one `launchFailed` or one `exited`.
// POSIX-2: whatever this process knows of a running container can be read again from the container's runtime files.
// POSIX-3: calls repeated for a container grow neither its record nor its runtime files.
// POSIX-4: no signal is sent to a process that reuses the pid of a container's ended first process.
import {
  type ContainerId,
  err,
  type Files,
  type Outbound,
  ok,
  type Processes,
  type Result,
  type SystemResult,
} from '@meseta/base';
import { createConcurrencyLimit } from '../../concurrency.js';
import { createFetcher, type Fetcher, type FetcherMetrics, type FetcherOptions } from '../../fetcher/fetcher.js';
import { findTools, readLimits } from '../../host-facts.js';
import { type LaunchLimits, type LaunchOwner, type LaunchTools, launchPlan } from '../../plan/plan.js';
import { createProber } from '../../probes/probes.js';
import { createTableReader, type ProcessTable, readStat } from '../../processes/process-table.js';
import { createStreams, openSandbox } from '../../sandbox/sandbox.js';
import { parseStatus } from '../../supervisor/exit-record.js';
import { perlSupervision } from '../../supervisor/perl.js';
import { shellSupervision } from '../../supervisor/shell.js';
import { createSpawner, type Spawner, type Supervision } from '../../supervisor/spawner.js';
import type { ContainerEvent, ContainerSpec, Containers } from '../../types.js';
import { createUserLookup } from '../../users.js';
import { createEndings, type Endings, watchSupervisors } from './endings.js';
import { recoverContainers } from './recovery.js';
import { sendPendingSignals, signalContainer } from './signals.js';
import { type Container, type PosixState, planHeader, runtimeFile, updateContainer } from './state.js';
import { createUsage } from './usage.js';

export interface PosixOptions {
  /** Absolute. It outlives the agent's process and is best in memory (below /run). */
  readonly runtimeDir: string;
  readonly files: Files;
  readonly processes: Processes;
  readonly outbound: Outbound;
  readonly fetcher: FetcherOptions;
  readonly onEvent: (event: ContainerEvent) => void;
}

interface Launcher {
  readonly state: PosixState;
  readonly tools: LaunchTools;
  readonly limits: LaunchLimits;
  readonly fetcher: Fetcher;
  readonly supervision: Supervision;
  readonly spawner: Spawner;
  readonly endings: Endings;
  readonly findUser: (name: string) => Promise<Result<LaunchOwner, string>>;
  /** Signals that are sent at the same time share a reading. */
  readonly readTable: () => Promise<ProcessTable>;
  /** Aborts the fetches of a container. */
  readonly fetches: Map<ContainerId, AbortController>;
}

/** Ids become names of files and lines that the spawner reads. */
const isValidId = (id: string): boolean => /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,240}$/.test(id);

function reportLaunchFailed(
  launcher: Launcher,
  containerId: ContainerId,
  stage: 'fetch' | 'launch',
  message: string,
): void {
  launcher.fetches.delete(containerId);
  const container = launcher.state.containers.get(containerId);
  if (container === undefined || container.phase === 'ended') return;
  updateContainer(launcher.state, containerId, { phase: 'ended' });
  launcher.state.onEvent({ kind: 'launchFailed', containerId, stage, message });
}

/** The user that a container runs as; undefined when it is the agent's own. */
async function resolveOwner(
  launcher: Launcher,
  user: string | undefined,
): Promise<Result<LaunchOwner | undefined, string>> {
  if (user === undefined) return ok(undefined);
  const owner = await launcher.findUser(user);
  const ownUid = launcher.state.processes.self.uid;
  if (!owner.ok || owner.value.uid === ownUid) return owner.ok ? ok(undefined) : owner;
  if (ownUid !== 0) return err(`user "${user}": the agent doesn't run as root and can't switch to another user`);
  return owner;
}

/** Thousands of containers may be launched at the same time, and each opens descriptors. */
const limitStreams = createConcurrencyLimit(64);

async function makeStreams(files: Files, path: string, owner: LaunchOwner | undefined): Promise<SystemResult<void>> {
  return limitStreams(async () => {
    const sandbox = await openSandbox(files, path);
    if (!sandbox.ok) return sandbox;
    const made = await createStreams(sandbox.value, owner);
    sandbox.value.close();
    return made;
  });
}

/** Fetches, makes the streams, writes the plan, and hands the container to the spawner. */
async function prepare(launcher: Launcher, spec: ContainerSpec): Promise<void> {
  const { state, tools } = launcher;
  const { files } = state;
  const owner = await resolveOwner(launcher, spec.user);
  const fail = async (message: string, stage: 'fetch' | 'launch' = 'launch'): Promise<void> => {
    await makeStreams(files, spec.sandbox, owner.ok ? owner.value : undefined);
    reportLaunchFailed(launcher, spec.containerId, stage, message);
  };
  if (!owner.ok) return fail(owner.error);
  const sandbox = await openSandbox(files, spec.sandbox);
  if (!sandbox.ok) return fail(`sandbox: ${sandbox.error.message}`);
  sandbox.value.close();
  const plan = launchPlan(spec, sandbox.value.stat.identity, owner.value, tools, launcher.limits);
  const text = plan.ok ? launcher.supervision.planText(plan.value) : plan;
  if (!text.ok) return fail(text.error);
  if (spec.uris.length > 0) {
    const abort = new AbortController();
    launcher.fetches.set(spec.containerId, abort);
    const fetched = await launcher.fetcher.fetch(spec.uris, spec.sandbox, owner.value, abort.signal);
    if (!fetched.ok) return fail(fetched.error, 'fetch');
  }
  // The supervisor opens the streams of its own user.
  if (owner.value) {
    const made = await makeStreams(files, spec.sandbox, owner.value);
    if (!made.ok) return fail(`sandbox: ${made.error.message}`);
  }
  const planPath = runtimeFile(state, spec.containerId, 'plan');
  const written = await files.write(planPath, planHeader(state.bootId, spec) + text.value, { mode: 0o600 });
  if (!written.ok) return fail(`runtime directory: ${written.error.message}`);
  if (state.containers.get(spec.containerId)?.destroyed === true) return fail('destroyed before it was launched');
  if (state.closed) return;
  launcher.fetches.delete(spec.containerId);
  updateContainer(state, spec.containerId, { phase: 'launching', launchedMs: performance.now() });
  launcher.spawner.launch(spec.containerId);
}

function launch(launcher: Launcher, spec: ContainerSpec): void {
  const { state } = launcher;
  const { containerId } = spec;
  const problem = isValidId(containerId)
    ? state.containers.has(containerId) && 'is in use'
    : 'expected at most 241 letters, digits, "_", "-" and "."';
  if (problem !== false) {
    const message = `container id "${containerId}": ${problem}`;
    queueMicrotask(() => state.onEvent({ kind: 'launchFailed', containerId, stage: 'launch', message }));
    return;
  }
  state.containers.set(containerId, {
    containerId,
    runsIn: { sandbox: spec.sandbox, user: spec.user },
    phase: 'preparing',
    pid: undefined,
    startTicks: undefined,
    supervisorPid: undefined,
    destroyed: false,
    status: undefined,
    sentSignals: new Set(),
    pendingSignals: [],
    launchedMs: 0,
  });
  void prepare(launcher, spec);
}

function destroy(launcher: Launcher, containerId: ContainerId): void {
  const container = launcher.state.containers.get(containerId);
  if (container === undefined || container.phase === 'ended') return;
  if (container.phase === 'preparing') {
    updateContainer(launcher.state, containerId, { destroyed: true });
    launcher.fetches.get(containerId)?.abort();
    return;
  }
  launcher.endings.destroy(containerId);
}

function onStarted(launcher: Launcher, containerId: ContainerId, pid: number, supervisorPid: number): void {
  const { state } = launcher;
  const container = state.containers.get(containerId);
  if (container === undefined || container.phase !== 'launching') return;
  const startTicks = readStat(state.files, pid)?.startTicks;
  updateContainer(state, containerId, { phase: 'running', pid, startTicks, supervisorPid, pendingSignals: [] });
  state.onEvent({ kind: 'started', containerId, pid });
  if (container.destroyed) launcher.endings.destroy(containerId);
  else sendPendingSignals(state, launcher.readTable, container);
}

/** Handles the lines of the fifo. A line about a container that is unknown or has ended is late and ignored. */
function createEventReader(launcher: () => Launcher): (text: string) => void {
  let incompleteLine = '';
  return (text) => {
    const lines = (incompleteLine + text).split('\n');
    incompleteLine = lines.pop() ?? '';
    for (const line of lines) {
      const [event, id = '', first = '', second = '', ...others] = line.split(' ');
      const containerId = id as ContainerId;
      if (event === 'started') onStarted(launcher(), containerId, Number(first), Number(second));
      else if (event === 'exited') void launcher().endings.shellReportedEnd(containerId, Number(first));
      else if (event === 'failed') {
        const reason = [first, second, ...others].join(' ').trim();
        reportLaunchFailed(launcher(), containerId, 'launch', reason || 'its supervisor could not be started');
      }
      const status = event === 'status' ? parseStatus(`${first} ${second}`) : undefined;
      if (status !== undefined) launcher().endings.firstProcessEnded(containerId, { kind: 'exact', status });
    }
  };
}

/** The plan is removed last: recovery finds a container by its plan. */
async function removeRuntimeFiles(state: PosixState, { containerId, sentSignals }: Container): Promise<void> {
  for (const name of ['sent', 'record', 'plan'] as const) {
    if (name !== 'sent' || sentSignals.size > 0) await state.files.removeFile(runtimeFile(state, containerId, name));
  }
}

async function makeFifo(options: PosixOptions, path: string): Promise<Result<void, string>> {
  const found = await options.files.stat(path);
  if (found.ok && found.value.kind === 'other') return ok(undefined);
  const run = await options.processes.run({ program: 'mkfifo', arguments: ['-m', '600', path] }, { timeoutMs: 10_000 });
  if (!run.ok) return err(`mkfifo: ${run.error.message}`);
  const isMade = run.value.end.kind === 'exited' && run.value.end.code === 0;
  return isMade ? ok(undefined) : err(`mkfifo: ${run.value.stderr.trim()}`);
}

function createState(options: PosixOptions, directory: string): PosixState {
  const { files, processes } = options;
  const own = readStat(files, processes.self.pid);
  return {
    files,
    processes,
    directory,
    bootId: files.readTextNow('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    containers: new Map(),
    foreignSessions: new Set(own === undefined ? [] : [own.session, own.group]),
    onEvent: options.onEvent,
    closed: false,
  };
}

export interface PosixContainers extends Containers {
  /** For the metrics `containerizer/fetcher/*`. */
  fetcherMetrics(): FetcherMetrics;
}

/** The posix launcher on this machine, or what the machine lacks. It starts no process before the first launch. */
export async function createPosixContainers(options: PosixOptions): Promise<Result<PosixContainers, string>> {
  const { files, processes } = options;
  const directory = `${options.runtimeDir}/containers`;
  const made = await files.makeDirectory(directory, 0o700);
  if (!made.ok) return err(`runtime directory: ${made.error.message}`);
  const tools = await findTools(files, processes);
  if (!tools.ok) return tools;
  const fifo = await makeFifo(options, `${directory}/events`);
  if (!fifo.ok) return fifo;

  const state = createState(options, directory);
  const { perl, perlSupervises } = tools.value;
  const supervision = perlSupervises && perl !== undefined ? perlSupervision(perl) : shellSupervision(tools.value);
  const spawner = createSpawner(processes, directory, supervision, state.foreignSessions);
  const endings = createEndings(state, () => spawner.reap());
  const launcher: Launcher = {
    state,
    tools: tools.value,
    limits: readLimits(files),
    fetcher: createFetcher({ ...options, ...options.fetcher, setpriv: tools.value.setpriv }),
    supervision,
    spawner,
    endings,
    findUser: createUserLookup(processes),
    readTable: createTableReader(files),
    fetches: new Map(),
  };
  const events = files.readFifo(
    `${directory}/events`,
    createEventReader(() => launcher),
  );
  if (!events.ok) return err(events.error.message);
  const stopWatching = watchSupervisors(state, endings, async (id, reason) => {
    // Without its plan the container can't be launched by a spawner that reads its line late.
    await files.removeFile(runtimeFile(state, id, 'plan'));
    reportLaunchFailed(launcher, id, 'launch', reason);
  });
  return ok({
    ...createCalls(options, launcher),
    async close() {
      state.closed = true;
      for (const controller of launcher.fetches.values()) controller.abort();
      endings.stop();
      stopWatching();
      events.value.close();
      spawner.close();
    },
  });
}

function createCalls(options: PosixOptions, launcher: Launcher): Omit<PosixContainers, 'close'> {
  const { state, tools, supervision } = launcher;
  const runProbe = createProber(options, tools, supervision, (user) => resolveOwner(launcher, user));
  return {
    launch: (spec) => launch(launcher, spec),
    signal: (containerId, signal) => signalContainer(state, launcher.readTable, containerId, signal),
    destroy: (containerId) => destroy(launcher, containerId),
    async probe(containerId, probe, timeoutMs) {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'running') return { kind: 'failed', message: 'the container is not running' };
      return runProbe(container.runsIn, probe, timeoutMs);
    },
    usage: createUsage(state),
    fetcherMetrics: () => launcher.fetcher.metrics(),
    remove(containerId) {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'ended') return;
      state.containers.delete(containerId);
      void removeRuntimeFiles(state, container);
    },
    recover: (relocate = (sandbox) => sandbox) => recoverContainers(state, relocate),
  };
}
