// The posix launcher: a container is a process group in a session of its own, without isolation.
//
// Owns: the records of its containers, their runtime files, the fifo of their supervisors' events, the spawner.
// Boundary: the machine only through ports; the agent hears of everything through `onEvent`, never from inside a call.
// POSIX-1: an accepted container ends in one `launchFailed` or one `exited`.
// POSIX-2: whatever this process knows of a running container it could read again from its runtime files.
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
import { createAtMost } from '../../concurrency.js';
import { createFetcher, type Fetcher, type FetcherMetrics, type FetcherOptions } from '../../fetcher/fetcher.js';
import { createUsers, findTools, readLimits } from '../../machine.js';
import { type LaunchLimits, type LaunchOwner, type LaunchTools, launchPlan } from '../../plan/plan.js';
import { createProber } from '../../probes/probes.js';
import { createTableReader, membersOf, type ProcessTable, readStat } from '../../processes/process-table.js';
import { createStreams, openSandbox } from '../../sandbox/sandbox.js';
import { isSilent, parseStatus } from '../../supervisor/exit-record.js';
import { perlSupervision } from '../../supervisor/perl.js';
import { shellSupervision } from '../../supervisor/shell.js';
import { createSpawner, type Spawner, type Supervision } from '../../supervisor/spawner.js';
import type { ContainerEvent, ContainerSpec, Containers } from '../../types.js';
import { createEndings, type Endings, watchSupervisors } from './endings.js';
import { recoverContainers } from './recovery.js';
import { type Container, change, type PosixState, planHeader, runtimeFile } from './state.js';
import { createUsage } from './usage.js';

export interface PosixOptions {
  /** Absolute; survives restarts of the agent, best in memory (below /run). */
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
  /** Shared by all who are being signalled. */
  readonly processTable: () => Promise<ProcessTable>;
  /** Stops the fetches of a container. */
  readonly fetching: Map<ContainerId, AbortController>;
}

/** Ids become names of files and lines that the spawner reads. */
const validId = (id: string): boolean => /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,240}$/.test(id);

function failLaunch(launcher: Launcher, containerId: ContainerId, stage: 'fetch' | 'launch', message: string): void {
  launcher.fetching.delete(containerId);
  const container = launcher.state.containers.get(containerId);
  if (container === undefined || container.phase === 'ended') return;
  change(launcher.state, containerId, { phase: 'ended' });
  launcher.state.onEvent({ kind: 'launchFailed', containerId, stage, message });
}

/** The user to switch to; undefined when it is the agent's own. */
async function ownerOf(launcher: Launcher, user: string | undefined): Promise<Result<LaunchOwner | undefined, string>> {
  if (user === undefined) return ok(undefined);
  const owner = await launcher.findUser(user);
  const own = launcher.state.processes.self.uid;
  if (!owner.ok || owner.value.uid === own) return owner.ok ? ok(undefined) : owner;
  if (own !== 0) return err(`user "${user}": the agent doesn't run as root and can't switch to another user`);
  return owner;
}

/** Of thousands of launches at once each holds descriptors. */
const fewAtOnce = createAtMost(64);

async function makeStreams(files: Files, path: string, owner: LaunchOwner | undefined): Promise<SystemResult<void>> {
  return fewAtOnce(async () => {
    const sandbox = await openSandbox(files, path);
    if (!sandbox.ok) return sandbox;
    const made = await createStreams(sandbox.value, owner);
    sandbox.value.close();
    return made;
  });
}

async function prepare(launcher: Launcher, spec: ContainerSpec): Promise<void> {
  const { state, tools } = launcher;
  const { files } = state;
  const owner = await ownerOf(launcher, spec.user);
  const fail = async (message: string, stage: 'fetch' | 'launch' = 'launch'): Promise<void> => {
    await makeStreams(files, spec.sandbox, owner.ok ? owner.value : undefined);
    failLaunch(launcher, spec.containerId, stage, message);
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
    launcher.fetching.set(spec.containerId, abort);
    const fetched = await launcher.fetcher.fetch(spec.uris, spec.sandbox, owner.value, abort.signal);
    if (!fetched.ok) return fail(fetched.error, 'fetch');
  }
  if (owner.value) {
    // What opens them is the agent's own user.
    const owned = await makeStreams(files, spec.sandbox, owner.value);
    if (!owned.ok) return fail(`sandbox: ${owned.error.message}`);
  }
  const written = await files.write(
    runtimeFile(state, spec.containerId, 'plan'),
    planHeader(state.bootId, spec) + text.value,
    { mode: 0o600 },
  );
  if (!written.ok) return fail(`runtime directory: ${written.error.message}`);
  if (state.containers.get(spec.containerId)?.destroyed === true) return fail('destroyed before it was launched');
  if (state.closed) return;
  launcher.fetching.delete(spec.containerId);
  change(state, spec.containerId, { phase: 'launching', launchedMs: performance.now() });
  launcher.spawner.launch(spec.containerId);
}

function launch(launcher: Launcher, spec: ContainerSpec): void {
  const { state } = launcher;
  const refuse = (message: string): void => {
    queueMicrotask(() =>
      state.onEvent({ kind: 'launchFailed', containerId: spec.containerId, stage: 'launch', message }),
    );
  };
  if (!validId(spec.containerId)) {
    refuse(`container id "${spec.containerId}": can't be a file's name`);
    return;
  }
  if (state.containers.has(spec.containerId)) {
    refuse(`container id "${spec.containerId}" is in use`);
    return;
  }
  state.containers.set(spec.containerId, {
    containerId: spec.containerId,
    place: { sandbox: spec.sandbox, user: spec.user },
    phase: 'preparing',
    pid: undefined,
    supervisor: undefined,
    destroyed: false,
    status: undefined,
    sent: new Set(),
    waiting: [],
    launchedMs: 0,
  });
  void prepare(launcher, spec);
}

const startPatienceMs = 500;
const sigcont = 18;
const sigstop = 19;

/**
 * Shells ignore INT and QUIT in what they fork in the background, until the launch has reset them: one that comes so
 * early waits for that.
 */
async function canHear(state: PosixState, container: Container, signal: number): Promise<void> {
  if (signal !== 2 && signal !== 3) return;
  while (performance.now() - container.launchedMs < startPatienceMs) {
    const status = state.files.readTextNow(`/proc/${container.pid}/status`) ?? '';
    const ignored = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
    if (((ignored >> BigInt(signal - 1)) & 1n) === 0n) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function sendSignal(launcher: Launcher, container: Container, signal: number): Promise<void> {
  const { state } = launcher;
  const { containerId, pid } = container;
  if (isSilent(signal)) {
    change(state, containerId, { sent: new Set([...container.sent, signal]) });
    await state.files.write(runtimeFile(state, containerId, 'sent'), `${signal}\n`, { append: true });
  }
  await canHear(state, container, signal);
  if (pid !== undefined && state.containers.get(containerId)?.phase === 'running')
    await signalTree(launcher, pid, signal);
}

/** The whole tree is stopped while its members are gathered, so that none is born unseen; then all get the signal and go on. */
async function signalTree({ state, processTable }: Launcher, pid: number, signal: number): Promise<void> {
  const stopped = new Set<number>();
  for (;;) {
    const members = membersOf(await processTable(), new Set([pid]), state.foreignSessions).get(pid) ?? [];
    const found = members.filter((it) => !stopped.has(it.pid));
    if (found.length === 0) break;
    for (const member of found) {
      stopped.add(member.pid);
      state.processes.kill(member.pid, sigstop);
    }
  }
  for (const member of stopped) state.processes.kill(member, signal);
  for (const member of stopped) state.processes.kill(member, sigcont);
}

function signal(launcher: Launcher, containerId: ContainerId, number: number): void {
  const container = launcher.state.containers.get(containerId);
  if (container === undefined) return;
  if (container.phase === 'running') void sendSignal(launcher, container, number);
  if (container.phase === 'preparing' || container.phase === 'launching') {
    change(launcher.state, containerId, { waiting: [...container.waiting, number] });
  }
}

function destroy(launcher: Launcher, containerId: ContainerId): void {
  const container = launcher.state.containers.get(containerId);
  if (container === undefined || container.phase === 'ended') return;
  if (container.phase === 'preparing') {
    change(launcher.state, containerId, { destroyed: true });
    launcher.fetching.get(containerId)?.abort();
    return;
  }
  launcher.endings.destroy(containerId);
}

function onStarted(launcher: Launcher, containerId: ContainerId, pid: number, supervisor: number): void {
  const container = launcher.state.containers.get(containerId);
  if (container === undefined || container.phase !== 'launching') return;
  const running = change(launcher.state, containerId, { phase: 'running', pid, supervisor, waiting: [] });
  launcher.state.onEvent({ kind: 'started', containerId, pid });
  if (container.destroyed) launcher.endings.destroy(containerId);
  else if (running) for (const number of container.waiting) void sendSignal(launcher, running, number);
}

/** Lines of the fifo; what they say of unknown or ended containers is old. */
function createEventReader(launcher: () => Launcher): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [what, id = '', one = '', two = '', ...more] = line.split(' ');
      const containerId = id as ContainerId;
      if (what === 'started') onStarted(launcher(), containerId, Number(one), Number(two));
      else if (what === 'exited') void launcher().endings.shellEnded(containerId, Number(one));
      else if (what === 'failed') {
        const reason = [one, two, ...more].join(' ').trim();
        failLaunch(launcher(), containerId, 'launch', reason || 'its supervisor could not be started');
      }
      const status = what === 'status' ? parseStatus(`${one} ${two}`) : undefined;
      if (status !== undefined) launcher().endings.firstEnded(containerId, { kind: 'exact', status });
    }
  };
}

/** The plan goes last: by it a container is found again. */
async function forget(state: PosixState, { containerId, sent }: Container): Promise<void> {
  for (const name of ['sent', 'record', 'plan'] as const) {
    if (name !== 'sent' || sent.size > 0) await state.files.removeFile(runtimeFile(state, containerId, name));
  }
}

async function makeFifo(options: PosixOptions, path: string): Promise<Result<void, string>> {
  const found = await options.files.stat(path);
  if (found.ok && found.value.kind === 'other') return ok(undefined);
  const run = await options.processes.run({ program: 'mkfifo', arguments: ['-m', '600', path] }, { timeoutMs: 10_000 });
  if (!run.ok) return err(`mkfifo: ${run.error.message}`);
  const done = run.value.end.kind === 'exited' && run.value.end.code === 0;
  return done ? ok(undefined) : err(`mkfifo: ${run.value.stderr.trim()}`);
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

/** The posix launcher on this machine, or what the machine lacks. It spawns nothing until the first launch. */
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
    findUser: createUsers(processes),
    processTable: createTableReader(files),
    fetching: new Map(),
  };
  const events = files.readFifo(
    `${directory}/events`,
    createEventReader(() => launcher),
  );
  if (!events.ok) return err(events.error.message);
  const stopWatching = watchSupervisors(state, endings, async (id, reason) => {
    // Without its plan a spawner that comes to it late can't launch it any more.
    await files.removeFile(runtimeFile(state, id, 'plan'));
    failLaunch(launcher, id, 'launch', reason);
  });
  const probe = createProber(options, launcher.tools, supervision, (user) => ownerOf(launcher, user));
  const usage = createUsage(state);

  return ok({
    launch: (spec) => launch(launcher, spec),
    signal: (containerId, number) => signal(launcher, containerId, number),
    destroy: (containerId) => destroy(launcher, containerId),
    probe: async (containerId, wanted, timeoutMs) => {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'running') return { kind: 'failed', message: 'the container is not running' };
      return probe(container.place, wanted, timeoutMs);
    },
    usage,
    fetcherMetrics: () => launcher.fetcher.metrics(),
    remove(containerId) {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'ended') return;
      state.containers.delete(containerId);
      void forget(state, container);
    },
    recover: (relocate = (sandbox) => sandbox) => recoverContainers(state, relocate),
    async close() {
      state.closed = true;
      for (const controller of launcher.fetching.values()) controller.abort();
      endings.stop();
      stopWatching();
      events.value.close();
      spawner.close();
    },
  });
}
