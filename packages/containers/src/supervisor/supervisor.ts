// The supervisor: starts the first processes of containers, learns their exact ends, ends what they leave behind, and writes
// the records by which the next supervisor finds them.
//
// Owns: the containers' records, and every child of this process.
// Boundary: it survives the agent and is told by agents only what to do; it reports every end to all connected agents.
// SUPERVISOR-1: a record is written before the first process is started, and the end before it is reported.
// SUPERVISOR-2: after it was killed, the next one knows every container; only the statuses of those that ran are unknown.
// SUPERVISOR-3: no signal is sent to a process that reuses the pid of a container's ended first process.
// SUPERVISOR-5: a process beside a container has the cgroups, namespaces and privileges of the running container, or is not
//   started: outside of them, a command of a task would have those of this process.
// SUPERVISOR-6: a container that shares namespaces or mounts with its parent is started while the parent runs, or not at all: the
//   directory of the machine below such a mount is empty.
import { type ChildRequest, type LinuxMount, type Namespace, timerMs } from '@meseta/base';
import { isCgroupEmpty } from '../cgroups/process-cgroups.js';
import { removeCgroup } from '../cgroups/tree.js';
import { createTableReader, isLive, parseStat, readStat, stillLives } from '../processes/process-table.js';
import type { ExitStatus } from '../types.js';
import { type Channels, createChannels } from './channels.js';
import { createEndings, type Endings } from './endings.js';
import type { KnownContainer, ProcessPlan, SupervisorEvent, SupervisorRequest } from './protocol.js';
import { headLine, idsOf, parseRecord, recordName, statusLine } from './records.js';
import { isSignal, signalProcesses } from './signals.js';
import { type Supervised, type SupervisorPorts, type SupervisorState, updateContainer } from './state.js';

const SIGKILL = 9;
const ORPHAN_INTERVAL_MS = 1000;
/** A first process of a killed supervisor may not have written its line yet. */
const FIRST_LINE_TIMEOUT_MS = 500;

export interface Supervisor {
  handle(request: SupervisorRequest): void;
  known(): readonly KnownContainer[];
  /** Whether it could end without a loss. */
  isIdle(): boolean;
  /** Removes the cgroups of ended containers, because it may be the last process that knows them. */
  removeCgroups(): Promise<void>;
}

interface Run {
  readonly id: string;
  readonly timer: NodeJS.Timeout;
  timedOut: boolean;
}

interface Context {
  readonly state: SupervisorState;
  readonly endings: Endings;
  readonly channels: Channels;
  /** By first process, those of running containers that are this process' children. */
  readonly idByPid: Map<number, string>;
  readonly runs: Map<number, Run>;
  readonly readTable: ReturnType<typeof createTableReader>;
}

function launch(context: Context, request: Extract<SupervisorRequest, { kind: 'launch' }>): void {
  const { id, plan, cgroup, inside, parent: parentId } = request;
  const { state } = context;
  const { records, children, containers, bootId } = state;
  const fail = (message: string): void => state.onEvent({ kind: 'failed', id, message });
  const name = recordName(id);
  const parent = containers.get(inside ?? parentId ?? '');
  const needsParent = inside !== undefined || (parentId !== undefined && sharesWithParent(plan));
  if (needsParent && parent?.phase !== 'running') return fail('its parent container does not run');
  const place =
    inside !== undefined && parent !== undefined
      ? { ...settingBeside(parent), parent: undefined }
      : placeBelow(plan, parent);
  const { linux = plan.linux } = place;
  const setting = { cgroup, cgroups: plan.cgroups, linux: linux && { ...linux, mounts: [] } };
  const made = records.create(name, headLine({ bootId, sandbox: plan.directory.path, setting }));
  if (!made.ok) return fail(`runtime directory: ${made.error.message}`);
  const started = children.start({
    ...plan,
    linux,
    enter: place.enter,
    parent: place.parent,
    output: plan.isPause === true ? 'discarded' : 'files',
    record: records.pathOf(name),
  });
  if (!started.ok) {
    records.remove(name);
    return fail(started.error);
  }
  const { pid, stat, channel } = started.value;
  if (channel !== undefined) context.channels.add(id, channel);
  const startTicks = parseStat(stat)?.startTicks;
  const sandbox = plan.directory.path;
  const facts = { id, phase: 'running', pid, startTicks, sandbox, setting, isChild: true } as const;
  containers.set(id, { ...facts, destroyed: false, status: undefined });
  context.idByPid.set(pid, id);
  state.onEvent({ kind: 'started', id, pid, startTicks });
}

/** SUPERVISOR-6. */
const sharesWithParent = ({ linux }: ProcessPlan): boolean =>
  linux !== undefined &&
  (linux.shared.length > 0 || linux.mounts.some((mount) => mount.kind === 'bind' && mount.inParent !== undefined));

/** What a process beside a container has in common with it. `enter`: where the container has namespaces of its own. */
function settingBeside(container: Supervised): Pick<ChildRequest, 'cgroups' | 'linux' | 'enter'> {
  const { cgroups, linux } = container.setting;
  return { cgroups, linux, enter: firstProcessApart(container) };
}

/** The first process of a container with namespaces of its own. */
function firstProcessApart({ setting: { linux }, pid, startTicks }: Supervised): ChildRequest['enter'] {
  const isApart = linux !== undefined && linux.namespaces.length > 0;
  return isApart && pid !== undefined && startTicks !== undefined ? { pid, startTicks } : undefined;
}

type Place = Pick<ChildRequest, 'linux' | 'enter' | 'parent'>;

/** In namespaces of its own, but for those that it shares with its parent. */
function placeBelow({ linux }: ProcessPlan, parent: Supervised | undefined): Place {
  if (parent?.phase !== 'running' || linux === undefined) return { linux };
  const { setting, sandbox } = parent;
  const has = (name: Namespace): boolean => setting.linux?.namespaces.includes(name) ?? false;
  if (!has('mount')) return { linux: { ...linux, shared: [], mounts: linux.mounts.map(withoutParent) } };
  // A parent without the namespace has that of the machine, or of its own parent.
  const shared = linux.shared.filter((name) => has(name) || setting.linux?.shared.includes(name));
  const { root, sandboxInRoot } = setting.linux ?? {};
  const seenAt = (path: string): string =>
    root !== undefined && sandboxInRoot !== undefined && path.startsWith(`${sandbox}/`)
      ? sandboxInRoot + path.slice(sandbox.length)
      : path;
  const mounts = linux.mounts.map((mount) =>
    mount.kind === 'bind' && mount.inParent !== undefined ? { ...mount, inParent: seenAt(mount.inParent) } : mount,
  );
  return { linux: { ...linux, shared, mounts }, parent: firstProcessApart(parent) };
}

function withoutParent(mount: LinuxMount): LinuxMount {
  if (mount.kind !== 'bind') return mount;
  const { inParent: _, ...others } = mount;
  return others;
}

/** SUPERVISOR-5. */
function run({ state, runs }: Context, request: Extract<SupervisorRequest, { kind: 'run' }>): void {
  const { id, containerId, plan, timeoutMs } = request;
  const fail = (message: string): void => state.onEvent({ kind: 'ran', id, result: { kind: 'failed', message } });
  const container = state.containers.get(containerId);
  if (container?.phase !== 'running') return fail('the container does not run');
  const started = state.children.start({
    ...plan,
    ...settingBeside(container),
    output: 'discarded',
    record: undefined,
  });
  if (!started.ok) return fail(started.error);
  const { pid } = started.value;
  const timer = setTimeout(() => {
    const found = runs.get(pid);
    if (found !== undefined) found.timedOut = true;
    state.processes.kill(-pid, SIGKILL);
  }, timerMs(timeoutMs));
  runs.set(pid, { id, timer, timedOut: false });
}

function onChildEnded({ state, endings, idByPid, runs }: Context, pid: number, status: ExitStatus): void {
  const finished = runs.get(pid);
  if (finished !== undefined) {
    runs.delete(pid);
    clearTimeout(finished.timer);
    // The processes that it left in its group.
    state.processes.kill(-pid, SIGKILL);
    state.onEvent({ kind: 'ran', id: finished.id, result: { kind: 'ended', status, timedOut: finished.timedOut } });
    return;
  }
  // Others are orphans of containers.
  const id = idByPid.get(pid);
  if (id === undefined || status.kind === 'unknown') return;
  idByPid.delete(pid);
  state.records.append(recordName(id), statusLine(status));
  endings.firstProcessEnded(id, status);
}

function handle(context: Context, request: SupervisorRequest): void {
  const { state, endings, readTable } = context;
  switch (request.kind) {
    case 'launch':
      return launch(context, request);
    case 'run':
      return run(context, request);
    case 'input':
      void context.channels
        .send(request.id, request.input)
        .then((result) => state.onEvent({ kind: 'answered', id: request.request, result }));
      return;
    case 'signal': {
      const container = state.containers.get(request.id);
      if (container?.phase !== 'running' || !isSignal(request.signal)) return;
      return void signalProcesses(state, readTable, container, request.signal);
    }
    case 'destroy':
      return endings.destroy(request.id);
    case 'remove':
      if (state.containers.get(request.id)?.phase !== 'ended') return;
      state.containers.delete(request.id);
      state.records.remove(recordName(request.id));
  }
}

/** Finds the containers of earlier supervisors by their records. */
async function recover(state: SupervisorState, endings: Endings): Promise<void> {
  const ids = idsOf(state.records.names());
  const unwritten = ids.filter((id) => recoverOne(state, id) === undefined);
  if (unwritten.length > 0) await new Promise((resolve) => setTimeout(resolve, FIRST_LINE_TIMEOUT_MS));
  for (const id of unwritten) recoverOne(state, id);
  for (const { id, phase, setting, status } of [...state.containers.values()]) {
    const { cgroup } = setting;
    if (phase === 'running' || cgroup === undefined || (await isCgroupEmpty(state.files, cgroup))) continue;
    // Its first process ended while no supervisor ran, and left others.
    updateContainer(state, id, { phase: 'running', status: undefined });
    endings.firstProcessEnded(id, status ?? { kind: 'unknown' });
  }
}

/** Returns undefined if the record has no first process. */
function recoverOne({ records, files, containers, bootId }: SupervisorState, id: string): Supervised | undefined {
  const { head, first, status } = parseRecord(records.read(recordName(id)) ?? '');
  const isOfThisBoot = head?.bootId === bootId;
  const runs = status === undefined && isOfThisBoot && first !== undefined && stillLives(files, first);
  const container: Supervised = {
    id,
    phase: runs ? 'running' : 'ended',
    pid: first?.pid,
    startTicks: first?.startTicks,
    sandbox: head?.sandbox ?? '',
    setting: head?.setting ?? { cgroups: [] },
    isChild: false,
    destroyed: false,
    status: runs ? undefined : (status ?? { kind: 'unknown' }),
  };
  containers.set(id, container);
  return isOfThisBoot && first === undefined ? undefined : container;
}

/** Without their supervisor, commands run on; their status is lost when they end. */
function watchOrphans({ state, endings }: Context): void {
  const isOrphan = ({ phase, isChild }: Supervised): boolean => phase === 'running' && !isChild;
  const timer = setInterval(() => {
    const orphans = [...state.containers.values()].filter(isOrphan);
    if (orphans.length === 0) clearInterval(timer);
    for (const { id, pid, startTicks } of orphans) {
      const now = pid === undefined ? undefined : readStat(state.files, pid);
      if (!isLive(now) || now.startTicks !== startTicks) endings.firstProcessEnded(id, { kind: 'unknown' });
    }
  }, ORPHAN_INTERVAL_MS).unref();
}

const knownOf = ({ id, pid, startTicks, setting, phase, status }: Supervised): KnownContainer => ({
  id,
  pid,
  startTicks,
  cgroup: setting.cgroup,
  status: phase === 'ended' ? status : undefined,
});

/** A cgroup that counts memory is left to the next agent, which reads from it why its container ended. */
async function removeCgroups({ files, containers }: SupervisorState): Promise<void> {
  for (const { phase, setting } of containers.values()) {
    const { cgroup } = setting;
    if (phase !== 'ended' || cgroup === undefined) continue;
    if (files.readTextNow(`${cgroup}/memory.events`) === undefined) await removeCgroup(files, cgroup);
  }
}

/** Recovers the containers of an earlier supervisor and supervises them and all that are launched from now on. */
export async function createSupervisor(
  ports: SupervisorPorts,
  onEvent: (event: SupervisorEvent) => void,
): Promise<Supervisor> {
  const { files, processes, children } = ports;
  const own = readStat(files, processes.self.pid);
  const channels = createChannels();
  const state: SupervisorState = {
    ...ports,
    bootId: files.readTextNow('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    containers: new Map(),
    foreignSessions: new Set(own === undefined ? [] : [own.session, own.group]),
    onEvent(event) {
      if (event.kind === 'ended') channels.finish(event.id, () => onEvent(event));
      else onEvent(event);
    },
  };
  const readTable = createTableReader(files);
  const endings = createEndings(state);
  const context: Context = { state, endings, channels, idByPid: new Map(), runs: new Map(), readTable };
  await recover(state, endings);
  watchOrphans(context);
  children.watch((pid, end) => onChildEnded(context, pid, end));
  return {
    handle: (request) => handle(context, request),
    known: () => [...state.containers.values()].map(knownOf),
    removeCgroups: () => removeCgroups(state),
    isIdle: () =>
      context.runs.size === 0 &&
      channels.size === 0 &&
      [...state.containers.values()].every(({ phase }) => phase === 'ended'),
  };
}
