// The GPUs of an agent (Mesos: docs/gpu-support.md): which are there, and which cgroup of containers has which.
//
// Owns: the file `DIRECTORY/ID` of each cgroup that has GPUs, with their indexes in the list of the agent.
// GPUS-1: no GPU is given to two cgroups. One is free again when no process of its cgroup lives.
// GPUS-2: a cgroup keeps its GPUs over a restart of the agent.
import { type DeviceNode, err, type Files, isDeepEqual, ok, type Processes, type Result } from '@meseta/base';
import { type DriverFile, type DriverPlaces, findDriverFiles } from './driver-files.js';

export interface GpuOptions extends DriverPlaces {
  /** The numbers in the names of their devices: 0 is `/dev/nvidia0`. */
  readonly minors: readonly number[];
  /** `/dev` */
  readonly deviceDirectory: string;
}

/** What the options say on machines of users. */
export const MACHINE: Omit<GpuOptions, 'minors'> = {
  deviceDirectory: '/dev',
  programDirectories: ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'],
  libraryCache: { program: '/sbin/ldconfig', arguments: ['-p'] },
};

export interface Gpus {
  /** For containers with images that ask for them. */
  readonly driverFiles: readonly DriverFile[];
  /** Those that every container may use, so that tools of NVIDIA work, also without GPUs. */
  readonly controls: readonly DeviceNode[];
  readonly all: readonly DeviceNode[];
  /** Changes how many GPUs a cgroup has, and returns them. */
  resize(id: string, count: number): Promise<Result<readonly DeviceNode[], string>>;
  release(id: string): Promise<void>;
  /** Called once, first: `isUsed` says whether a cgroup has containers. */
  recover(isUsed: (id: string) => boolean): Promise<void>;
}

const S_IFCHR = 0o020000;
const REQUIRED_CONTROLS = ['nvidiactl', 'nvidia-uvm'];
const OPTIONAL_CONTROLS = ['nvidia-uvm-tools'];
/** Loads the module of nvidia-uvm and makes its device, which else the first program does that uses it. */
const MODPROBE = { program: 'nvidia-modprobe', arguments: ['-u', '-c', '0'] };
const MODPROBE_TIMEOUT_MS = 30_000;

async function nodeOf(files: Files, directory: string, name: string): Promise<Result<DeviceNode, string>> {
  const stat = await files.stat(`${directory}/${name}`);
  if (!stat.ok) return err(stat.error.message);
  if (stat.value.format !== S_IFCHR) return err(`${directory}/${name} is no character device`);
  return ok({ name, ...stat.value.device });
}

/** The devices of the machine, or which one is missing. */
async function findDevices(
  { minors, deviceDirectory: directory }: GpuOptions,
  files: Files,
  processes: Pick<Processes, 'run'>,
): Promise<Result<{ readonly controls: readonly DeviceNode[]; readonly all: readonly DeviceNode[] }, string>> {
  const uvm = await files.stat(`${directory}/nvidia-uvm`);
  if (!uvm.ok) await processes.run(MODPROBE, { timeoutMs: MODPROBE_TIMEOUT_MS });
  const controls: DeviceNode[] = [];
  for (const name of [...REQUIRED_CONTROLS, ...OPTIONAL_CONTROLS]) {
    const node = await nodeOf(files, directory, name);
    if (node.ok) controls.push(node.value);
    else if (REQUIRED_CONTROLS.includes(name)) return node;
  }
  const all: DeviceNode[] = [];
  for (const minor of minors) {
    const node = await nodeOf(files, directory, `nvidia${minor}`);
    if (!node.ok) return node;
    all.push(node.value);
  }
  return ok({ controls, all });
}

interface State {
  readonly files: Files;
  readonly directory: string;
  /** Indexes in the list of all GPUs, by cgroup. */
  readonly given: Map<string, readonly number[]>;
}

/** GPUS-2: it is on disk before any process can use it. */
async function give(
  { files, directory, given }: State,
  id: string,
  gpus: readonly number[],
): Promise<Result<void, string>> {
  const written = await files.write(`${directory}/${id}`, JSON.stringify(gpus), { mode: 0o600 });
  if (!written.ok) return err(written.error.message);
  given.set(id, gpus);
  return ok(undefined);
}

/** GPUS-1. */
async function resize(
  state: State,
  total: number,
  id: string,
  count: number,
): Promise<Result<readonly number[], string>> {
  if (!Number.isInteger(count)) return err(`gpus: expected a whole number, got ${count}`);
  const before = state.given.get(id) ?? [];
  const taken = new Set([...state.given.values()].flat());
  const free = Array.from({ length: total }, (_, index) => index).filter((index) => !taken.has(index));
  const after = [...before, ...free].slice(0, count);
  if (after.length < count) return err(`gpus: ${count} are wanted, ${after.length} are free`);
  if (isDeepEqual(before, after)) return ok(after);
  const gave = await give(state, id, after);
  return gave.ok ? ok(after) : gave;
}

async function recover(
  { files, directory, given }: State,
  total: number,
  isUsed: (id: string) => boolean,
): Promise<void> {
  const opened = await files.openDirectory(directory);
  if (!opened.ok) return;
  const ids: string[] = [];
  await opened.value.list((entries) => {
    for (const { name } of entries) ids.push(name);
    return true;
  });
  opened.value.close();
  for (const id of ids) {
    const indexes = isUsed(id) ? parseIndexes(await files.readText(`${directory}/${id}`), total) : [];
    if (indexes.length > 0) given.set(id, indexes);
    else await files.removeFile(`${directory}/${id}`);
  }
}

/** A file that was not written to its end has none: its container was not started. */
function parseIndexes(text: Awaited<ReturnType<Files['readText']>>, total: number): readonly number[] {
  const found = text.ok ? /^\[([\d,]*)\]$/.exec(text.value) : null;
  if (found === null) return [];
  const numbers = (found[1] ?? '').split(',').filter((each) => each !== '');
  return numbers.map(Number).filter((index) => index < total);
}

/** `directory`: for the files; only the agent's user can enter it. */
export async function openGpus(
  options: GpuOptions,
  directory: string,
  files: Files,
  processes: Pick<Processes, 'run'>,
): Promise<Result<Gpus, string>> {
  const devices = await findDevices(options, files, processes);
  if (!devices.ok) return devices;
  const made = await files.makeDirectory(directory, 0o700);
  if (!made.ok) return err(made.error.message);
  const { controls, all } = devices.value;
  const driverFiles = await findDriverFiles(options, files, processes);
  const state: State = { files, directory, given: new Map() };
  let last: Promise<unknown> = Promise.resolve();
  /** One change at a time. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = last.then(change);
    last = changed.catch(() => undefined);
    return changed;
  }
  const nodesOf = (indexes: readonly number[]): readonly DeviceNode[] => indexes.flatMap((index) => all[index] ?? []);
  return ok({
    driverFiles,
    controls,
    all,
    resize: (id, count) =>
      inTurn(async () => {
        const resized = await resize(state, all.length, id, count);
        return resized.ok ? ok(nodesOf(resized.value)) : resized;
      }),
    release: (id) =>
      inTurn(async () => {
        if (state.given.delete(id)) await files.removeFile(`${directory}/${id}`);
      }),
    recover: (isUsed) => inTurn(() => recover(state, all.length, isUsed)),
  });
}
