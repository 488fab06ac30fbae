// The system calls that give a process namespaces and a view of the file system: what the first process of a container does
// before it becomes the command, or the first process of its pid namespace.
//
// Boundary: `openIsolation` opens everything that names a path of a task, in this process; the calls of the child use
// descriptors, and paths without links. Nothing stays on the machine: mounts and namespaces end with their processes.
// ISOLATION-1: what can't be done as asked ends the child, and with it the launch.
// ISOLATION-2: a target on the machine's own file system has no link in its path, when the mount is made.
// ISOLATION-3: no path of a task or an image leads through /proc to a descriptor that the child still has of this process.
// ISOLATION-4: a container with a root of its own gets no file of the machine's /dev, as root in it owns such a file too. What a
//   process that enters it finds at its /dev/null is opened with the rights of the process' user: a container of another user
//   can mount a file of root there, in a user namespace.
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import type { LinuxMount, LinuxPlan, Namespace, SharedNamespace } from '@meseta/base';
import type { Arena } from './child-calls.js';
import type { Step } from './child-steps.js';
import {
  cloneSteps,
  cloneTree,
  createDevices,
  makeTarget,
  OPEN_TARGET,
  openBelow,
  openHow,
  openInside,
  openTrusted,
  pathOfDescriptor,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from './mounts.js';
import { Refused, statOfDescriptor, systemError } from './system-results.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;

/** Flags of clone(2), unshare(2) and setns(2). */
export const CLONE_FLAGS: { readonly [Name in Namespace]: number } = {
  mount: 0x20000,
  uts: 0x4000000,
  ipc: 0x8000000,
  pid: 0x20000000,
};
export const CLONE_NEWNET = 0x40000000;

const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
/** Mounts of the machine reach the container, and no mount of the container reaches the machine (mount_namespaces(7)). */
const MS_FROM_MACHINE = 0x80000;
const MNT_DETACH = 2;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

const DEVPTS_OPTIONS = 'newinstance,ptmxmode=0666,mode=0620,gid=5';
const SHM = '/dev/shm';

/** A mount whose source is open. */
interface OpenedMount {
  readonly mount: LinuxMount;
  /** A detached mount; undefined: the child makes a new file system. */
  readonly tree: number | undefined;
  /** The tree is what the parent container has there, of which the child makes a detached mount. */
  readonly isOfParent: boolean;
  /** The path in the container, without links. */
  readonly target: string;
}

/** A process of the parent container. */
export interface OpenedParent {
  readonly process: number;
  /** Its root directory. */
  readonly root: number;
}

export interface OpenedIsolation {
  readonly plan: LinuxPlan;
  readonly parent: OpenedParent | undefined;
  /** The mount namespace of this process. */
  readonly ownMounts: number;
  readonly root: { readonly tree: number; readonly path: string; readonly devices: number } | undefined;
  readonly mounts: readonly OpenedMount[];
  /** The network namespace that the container enters. */
  readonly network: number | undefined;
  /** A descriptor of this process whose number the child uses for its root. */
  readonly placeholder: number;
  /** The path of the sandbox on the machine, without links. */
  readonly directory: string;
}

/** The namespaces that the child makes itself; a pid namespace is made by clone(2). */
const ownNamespaces = ({ namespaces }: LinuxPlan): readonly Namespace[] => namespaces.filter((name) => name !== 'pid');

export const hasNamespace = ({ namespaces }: LinuxPlan, name: Namespace): boolean => namespaces.includes(name);

export const sharesNamespace = ({ shared }: LinuxPlan, name: SharedNamespace): boolean => shared.includes(name);

interface Around {
  /** The open sandbox, and the path that the plan has for it. */
  readonly directory: number;
  readonly path: string;
  readonly parent: OpenedParent | undefined;
}

/** ISOLATION-1: without the namespace that it needs, a part of a plan would be carried out on the machine, or not at all. */
export function requireNamespaces(plan: LinuxPlan): void {
  const { root, mounts, network, hostname, shared } = plan;
  const needed: readonly (readonly [field: string, namespace: Namespace, isGiven: boolean])[] = [
    ['root', 'mount', root !== undefined],
    ['mounts', 'mount', mounts.length > 0],
    ['network', 'mount', network !== undefined],
    ['shared', 'mount', shared.length > 0],
    ['hostname', 'uts', hostname !== undefined],
  ];
  for (const [field, namespace, isGiven] of needed) {
    if (isGiven && !hasNamespace(plan, namespace))
      throw new Refused(`${field}: expected with the namespace ${namespace}`);
  }
}

type CloseLater = (descriptor: number) => number;

/** ISOLATION-2. The path without links of a target on the machine. */
function realPathOf(target: string): string {
  const opened = openTarget(target);
  try {
    return pathOfDescriptor(opened);
  } finally {
    closeSync(opened);
  }
}

function openTarget(target: string): number {
  try {
    return openTrusted(target);
  } catch (error) {
    const { code, message } = systemError(error);
    throw new Refused(`mount at ${target}: ${code === 'ENOENT' ? 'the machine has no such path' : message}`);
  }
}

/** MOUNTS-1. A path in a parent container that begins with a path of the machine, where that leads. Others stay. */
function withoutLinks(path: string, root: string): string {
  if (path !== root && !path.startsWith(`${root}/`)) return path;
  return realPathOf(root) + path.slice(root.length);
}

/** Opens the source of a mount. What it is seen at in the root of the container is made. */
function openMount(
  mount: LinuxMount,
  root: number | undefined,
  target: string,
  parent: OpenedParent | undefined,
  closeLater: CloseLater,
): OpenedMount {
  const makeIn = (isDirectory: boolean): void => {
    if (root !== undefined && target !== SHM) makeTarget(root, target, isDirectory);
  };
  if (mount.kind === 'tmpfs') {
    makeIn(true);
    return { mount, tree: undefined, isOfParent: false, target };
  }
  const isOfParent = mount.inParent !== undefined && parent !== undefined;
  if (isOfParent) {
    const source = closeLater(openInside(parent.root, withoutLinks(mount.inParent, mount.source.root)));
    makeIn(statOfDescriptor(source).kind === 'directory');
    return { mount, tree: source, isOfParent, target };
  }
  const source = openBelow(mount.source);
  try {
    makeIn(statOfDescriptor(source).kind === 'directory');
    return { mount, tree: closeLater(cloneTree(source, mount.isReadOnly)), isOfParent, target };
  } finally {
    closeSync(source);
  }
}

/** Opens what the plan names. The descriptors are passed to `closeLater`, also when a later one can't be opened. */
export function openIsolation(
  plan: LinuxPlan,
  { directory, path, parent }: Around,
  closeLater: CloseLater,
): OpenedIsolation {
  const open = (name: string): number => closeLater(openSync(name, constants.O_RDONLY));
  const realDirectory = pathOfDescriptor(directory);
  const root = plan.root === undefined ? undefined : closeLater(openTrusted(plan.root));
  const targetOf = ({ target }: LinuxMount): string =>
    root === undefined && (target === path || target.startsWith(`${path}/`))
      ? realDirectory + target.slice(path.length)
      : root === undefined
        ? realPathOf(target)
        : target;
  const mounts = plan.mounts.map((mount) => openMount(mount, root, targetOf(mount), parent, closeLater));
  const network = plan.network === undefined ? undefined : open(plan.network);
  const others = { placeholder: open('/dev/null'), ownMounts: open('/proc/thread-self/ns/mnt') };
  const opened = { plan, parent, mounts, network, directory: realDirectory, ...others };
  if (root === undefined) return { ...opened, root: undefined };
  for (const name of ['proc', 'sys', 'dev']) makeTarget(root, name, true);
  if (plan.workingDirectory !== undefined) makeTarget(root, plan.workingDirectory, true);
  const trees = {
    tree: closeLater(cloneTree(root, false)),
    path: pathOfDescriptor(root),
    devices: closeLater(createDevices(plan.devices)),
  };
  return { ...opened, root: trees };
}

/** Opens a path as descriptor 0. */
function openAsZero(arena: Arena, at: number, path: string, resolve: number, what: string): readonly Step[] {
  const how = openHow(OPEN_TARGET, resolve);
  return [
    { name: 'close', arguments: [0], mayFail: true, what },
    { name: 'openat2', arguments: [at, arena.text(path), arena.bytes(how), how.length], what },
  ];
}

/** Attaches a detached mount at descriptor 0. */
function attachAtZero(arena: Arena, tree: number, what: string): Step {
  const empty = arena.text('');
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return { name: 'move_mount', arguments: [tree, empty, 0, empty, flags], what };
}

/** Mounts a new file system at descriptor 0. */
function mountAtZero(arena: Arena, type: string, flags: number, options: string, what: string): Step {
  const name = arena.text(type);
  const target = arena.text('/proc/self/fd/0');
  return { name: 'mount', arguments: [name, target, name, flags, arena.text(options)], what };
}

const mountProc = (arena: Arena): Step =>
  mountAtZero(arena, 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, '', 'mount /proc');

/** The root of the container with the file systems that every container has; `placeholder` becomes its descriptor. */
function rootSteps(arena: Arena, { root, mounts, placeholder }: OpenedIsolation): readonly Step[] {
  if (root === undefined) return [];
  const what = 'mount the root file system';
  const inRoot = (path: string): readonly Step[] =>
    openAsZero(arena, placeholder, path, RESOLVE_IN_ROOT, `open ${path}`);
  const ownShm: readonly Step[] = mounts.some(({ target }) => target === SHM)
    ? []
    : [...inRoot(SHM), mountAtZero(arena, 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=1777', `mount ${SHM}`)];
  return [
    ...openAsZero(arena, AT_FDCWD, root.path, RESOLVE_NO_SYMLINKS, what),
    attachAtZero(arena, root.tree, what),
    ...openAsZero(arena, AT_FDCWD, root.path, RESOLVE_NO_SYMLINKS, what),
    { name: 'dup3', arguments: [0, placeholder, O_CLOEXEC], what },
    ...inRoot('dev'),
    attachAtZero(arena, root.devices, 'mount /dev'),
    ...inRoot('dev/pts'),
    mountAtZero(arena, 'devpts', MS_NOSUID | MS_NOEXEC, DEVPTS_OPTIONS, 'mount /dev/pts'),
    ...ownShm,
    ...inRoot('sys'),
    mountAtZero(arena, 'sysfs', MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, '', 'mount /sys'),
  ];
}

/** Paths that a container with a root of its own must not change. Root in it owns these files too. */
const READ_ONLY_PATHS = ['proc/bus', 'proc/fs', 'proc/irq', 'proc/sys', 'proc/sysrq-trigger'];
/** Files that a container with a root of its own must not read. */
const HIDDEN_FILES = [
  'proc/kcore',
  'proc/key-users',
  'proc/keys',
  'proc/latency_stats',
  'proc/sched_debug',
  'proc/timer_list',
  'proc/timer_stats',
];
const HIDDEN_DIRECTORIES = ['proc/acpi', 'proc/asound', 'proc/scsi', 'sys/firmware'];

/** Not every kernel has all of these paths; this process sees which. */
function protectionSteps(arena: Arena, { root, placeholder }: OpenedIsolation): readonly Step[] {
  if (root === undefined) return [];
  const target = arena.text('/proc/self/fd/0');
  // ISOLATION-4: that of the container.
  const nothing = arena.text(`/proc/self/fd/${placeholder}/dev/null`);
  const tmpfs = arena.text('tmpfs');
  const quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const mount = (source: bigint | number, type: bigint | number, flags: number, what: string): Step => ({
    name: 'mount',
    arguments: [source, target, type, flags, 0],
    what,
  });
  const protect = (path: string, mounts: (what: string) => readonly Step[]): readonly Step[] => {
    if (!existsSync(`/${path}`)) return [];
    const what = `protect /${path}`;
    const opening = openAsZero(arena, placeholder, path, RESOLVE_IN_ROOT, what);
    return mounts(what).flatMap((each) => [...opening, each]);
  };
  return [
    ...READ_ONLY_PATHS.flatMap((path) =>
      protect(path, (what) => [
        mount(target, 0, MS_BIND | MS_REC, what),
        mount(0, 0, MS_BIND | MS_REMOUNT | MS_RDONLY | quiet, what),
      ]),
    ),
    ...HIDDEN_FILES.flatMap((path) =>
      protect(path, (what) => [
        mount(nothing, 0, MS_BIND, what),
        mount(0, 0, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC, what),
      ]),
    ),
    ...HIDDEN_DIRECTORIES.flatMap((path) => protect(path, (what) => [mount(tmpfs, tmpfs, MS_RDONLY | quiet, what)])),
  ];
}

/** ISOLATION-2. */
function mountSteps(arena: Arena, { root, mounts, placeholder }: OpenedIsolation): readonly Step[] {
  return mounts.flatMap(({ mount, tree, target }) => {
    const what = `mount ${target}`;
    const opening =
      root === undefined
        ? openAsZero(arena, AT_FDCWD, target, RESOLVE_NO_SYMLINKS, what)
        : openAsZero(arena, placeholder, target, RESOLVE_IN_ROOT, what);
    if (tree !== undefined) return [...opening, attachAtZero(arena, tree, what)];
    const bytes = mount.kind === 'tmpfs' ? mount.bytes : undefined;
    const options = bytes === undefined ? 'mode=1777' : `mode=1777,size=${bytes}`;
    return [...opening, mountAtZero(arena, 'tmpfs', MS_NOSUID | MS_NODEV, options, what)];
  });
}

/** Makes the container's root that of the process, which then has none of the machine's. */
function pivotSteps(arena: Arena, { root, placeholder }: OpenedIsolation): readonly Step[] {
  if (root === undefined) return [];
  const what = 'enter the root file system';
  const here = arena.text('.');
  return [
    { name: 'fchdir', arguments: [placeholder], what },
    { name: 'pivot_root', arguments: [here, here], what },
    { name: 'umount2', arguments: [here, MNT_DETACH], what },
    { name: 'chdir', arguments: [arena.text('/')], what },
  ];
}

/** Takes from the parent container what is shared with it, and comes back to the mounts of this process. */
function parentSteps(arena: Arena, { plan, parent, mounts, ownMounts }: OpenedIsolation): readonly Step[] {
  if (parent === undefined) return [];
  const what = 'share what its parent container has';
  const enter = (namespace: number, flag: number): Step => ({ name: 'setns', arguments: [namespace, flag], what });
  const ipc = sharesNamespace(plan, 'ipc') ? [enter(parent.process, CLONE_FLAGS.ipc)] : [];
  const copied = mounts.flatMap(({ mount, tree, isOfParent, target }) =>
    isOfParent && tree !== undefined && mount.kind === 'bind'
      ? cloneSteps(arena, tree, mount.isReadOnly, `share ${target} with its parent container`)
      : [],
  );
  if (copied.length === 0) return ipc;
  return [...ipc, enter(parent.process, CLONE_FLAGS.mount), ...copied, enter(ownMounts, CLONE_FLAGS.mount)];
}

/** Makes the namespaces but that for pids, with what is in them. */
export function isolationSteps(arena: Arena, opened: OpenedIsolation): readonly Step[] {
  const { plan, root, network, placeholder } = opened;
  const flags = ownNamespaces(plan).reduce((all, name) => all | CLONE_FLAGS[name], 0);
  if (flags === 0) return [];
  const unshare: Step = { name: 'unshare', arguments: [flags], what: 'make namespaces' };
  // Before its /sys is mounted, which shows the interfaces of the namespace.
  const networking: readonly Step[] =
    network === undefined
      ? []
      : [{ name: 'setns', arguments: [network, CLONE_NEWNET], what: 'enter its network namespace' }];
  const { hostname } = plan;
  const naming: readonly Step[] =
    hostname === undefined
      ? []
      : [{ name: 'sethostname', arguments: [arena.text(hostname), Buffer.byteLength(hostname)], what: 'set the name' }];
  if (!hasNamespace(plan, 'mount')) return [unshare, ...naming];
  const noText = 0;
  const flagsOfRoot = MS_REC | MS_FROM_MACHINE;
  // A process of the pid namespace must mount its /proc.
  const proc =
    root !== undefined
      ? [...openAsZero(arena, placeholder, 'proc', RESOLVE_IN_ROOT, 'open proc'), mountProc(arena)]
      : hasNamespace(plan, 'pid') || sharesNamespace(plan, 'pid')
        ? [...openAsZero(arena, AT_FDCWD, '/proc', RESOLVE_NO_SYMLINKS, 'open /proc'), mountProc(arena)]
        : [];
  return [
    ...networking,
    ...parentSteps(arena, opened),
    unshare,
    { name: 'mount', arguments: [noText, arena.text('/'), noText, flagsOfRoot, noText], what: 'separate its mounts' },
    ...rootSteps(arena, opened),
    ...mountSteps(arena, opened),
    ...proc,
    ...protectionSteps(arena, opened),
    ...pivotSteps(arena, opened),
    ...naming,
  ];
}

/**
 * ISOLATION-4. Gives the child the /dev/null of the container in the place of the machine's. Without a root of its own it has
 * the same one. A pipe in its place does not make the open wait.
 */
export function nullSteps(
  arena: Arena,
  { root }: Pick<LinuxPlan, 'root'>,
  streams: readonly number[],
  devNull: number,
): readonly Step[] {
  const replaced = streams.flatMap((stream, index) => (stream === devNull ? [index] : []));
  if (root === undefined || replaced.length === 0) return [];
  const what = 'open /dev/null';
  const how = openHow(O_RDWR | O_NOFOLLOW | O_NONBLOCK, RESOLVE_NO_MAGICLINKS);
  // The lowest free descriptor, 0, is the only one that is not in use.
  const opening: readonly Step[] = [
    { name: 'close', arguments: [0], mayFail: true, what },
    { name: 'openat2', arguments: [AT_FDCWD, arena.text('/dev/null'), arena.bytes(how), how.length], what },
  ];
  const copy = (index: number): Step => ({ name: 'dup3', arguments: [0, index, 0], what });
  return [...opening, ...replaced.filter((index) => index > 0).map(copy)];
}

/** Enters the namespaces of another process, but that for pids. */
export const enterSteps = (process: number): readonly Step[] => {
  const { mount, ipc, uts } = CLONE_FLAGS;
  const what = 'enter the namespaces of the container';
  return [{ name: 'setns', arguments: [process, mount | ipc | uts | CLONE_NEWNET], what }];
};

/** Enters a working directory, in the mount namespace of the process. ISOLATION-3. */
export function directorySteps(
  arena: Arena,
  { workingDirectory }: Pick<LinuxPlan, 'workingDirectory'>,
  directory: string,
): readonly Step[] {
  const what = 'enter the working directory';
  const opening =
    workingDirectory === undefined
      ? openAsZero(arena, AT_FDCWD, directory, RESOLVE_NO_SYMLINKS, what)
      : openAsZero(arena, AT_FDCWD, workingDirectory, RESOLVE_NO_MAGICLINKS, what);
  return [...opening, { name: 'fchdir', arguments: [0], what }];
}
