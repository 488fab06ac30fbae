// The cgroups of containers in the hierarchies of some controllers, for one isolator. A container has a cgroup of its own,
// or shares that of the container around it, as Mesos' `share_cgroups` says.
//
// Owns: the directories `ROOT/ID` in those hierarchies, and which containers share each.
// CGROUPS-1: a cgroup exists before a process joins it, with the limits of all containers that share it. It is removed with
//   the last of them.
// CGROUPS-2: changes of one cgroup are made one after the other, in the order of the calls.
// CGROUPS-3: after a restart, cgroups without a container are removed; one with processes is left, because it may be of
//   another agent.
import { err, type Files, isDeepEqual, ok, type Result } from '@meseta/base';
import type { Resource } from '@meseta/wire';
import type { ContainerRecord } from '../lifecycle.js';
import { type Demand, demandOf } from './demand.js';
import type { CgroupHierarchy, CgroupLayout } from './layout.js';
import { namesInCgroup, removeCgroup } from './tree.js';

/** In the place of a controller: the hierarchy of version 2 itself, whatever controllers it has. */
export const UNIFIED = 'cgroup2';

/** The controllers that an isolator needs, in each version. */
export interface NeededControllers {
  readonly 1: readonly string[];
  /** undefined: version 2 has none that does this. */
  readonly 2: readonly string[] | undefined;
}

/** A cgroup in the hierarchies of its controllers. */
export interface Cgroup {
  /** The container whose name it has. */
  readonly id: string;
  readonly version: 1 | 2;
  /** The directories, by controller. */
  readonly directories: ReadonlyMap<string, string>;
}

type Applied = Promise<Result<void, string>>;
type SetLimits = (cgroup: Cgroup, demand: Demand, isNew: boolean) => Applied;

export interface ContainerCgroups {
  /** Makes the container's cgroup, or adds it to the one that it shares, and applies the limits. */
  prepare(record: ContainerRecord): Promise<Result<Cgroup, string>>;
  /** The resources of a container may have changed. */
  update(record: ContainerRecord): Applied;
  /** Adds the containers that run, and removes the cgroups of others. */
  recover(alive: readonly ContainerRecord[]): Promise<void>;
  /** Removes the container, and its cgroup with the last one that shares it. */
  cleanUp(containerId: string): Promise<void>;
  cgroupOf(containerId: string): Cgroup | undefined;
  /** The cgroup with the name of a container. `isMember`: the container itself is in it, not only others that share it. */
  cgroupNamed(
    containerId: string,
  ): { readonly cgroup: Cgroup; readonly demand: Demand; readonly isMember: boolean } | undefined;
  /** Whether a container has this cgroup. */
  isUsed(cgroup: Cgroup): boolean;
  /** Where the cgroup of a container is, whether or not it was prepared. */
  locate(record: ContainerRecord): Cgroup;
  demandOf(containerId: string): Demand | undefined;
}

interface Group {
  readonly cgroup: Cgroup;
  readonly members: Map<string, ContainerRecord>;
  /** Whether its limits have been set. */
  isMade: boolean;
  /** Resolves after the last change that was asked for. CGROUPS-2. */
  last: Promise<unknown>;
}

/** The hierarchies of the controllers, or which one is missing. */
export function findHierarchies(
  { controllers, unified }: CgroupLayout,
  needed: NeededControllers,
): Result<ReadonlyMap<string, CgroupHierarchy>, string> {
  const find = (version: 1 | 2): ReadonlyMap<string, CgroupHierarchy> => {
    const names = needed[version] ?? [];
    const found = names.map((name) => [name, name === UNIFIED ? unified : controllers.get(name)] as const);
    return new Map(found.flatMap(([name, it]) => (it?.version === version ? [[name, it] as const] : [])));
  };
  for (const version of [1, 2] as const) {
    const found = find(version);
    if (found.size === 0 || found.size < (needed[version]?.length ?? 0)) continue;
    const readOnly = [...found.values()].find(({ isWritable }) => !isWritable);
    return readOnly === undefined ? ok(found) : err(`${readOnly.mountPoint} is mounted read-only`);
  }
  const missing = needed[1].filter((name) => controllers.get(name)?.version !== 1);
  const instead =
    needed[2] === undefined ? 'and version 2 has none' : `nor those of version 2 (${needed[2].join(', ')})`;
  return err(`cgroup controllers of version 1 are not mounted (${missing.join(', ')}), ${instead}`);
}

/** The resources of a pod's executor, which is no process and has no record, for its tasks together. */
const sharedResourcesOf = ({ sharedCgroup }: ContainerRecord): readonly Resource[] => sharedCgroup?.resources ?? [];

function demandOfMembers(members: ReadonlyMap<string, ContainerRecord>): Demand {
  const records = [...members.values()];
  const [first] = records;
  return demandOf([...records, ...(first === undefined ? [] : [{ resources: sharedResourcesOf(first) }])]);
}

interface Context {
  readonly files: Files;
  readonly hierarchies: ReadonlyMap<string, CgroupHierarchy>;
  readonly version: 1 | 2;
  readonly rootName: string;
  /** The cgroups that those of all containers are in, one in each hierarchy. */
  readonly roots: readonly string[];
  readonly setLimits: SetLimits;
  readonly groups: Map<string, Group>;
  /** By container. */
  readonly groupIds: Map<string, string>;
}

const directoriesOf = ({ roots }: Context, id: string): readonly string[] => roots.map((root) => `${root}/${id}`);

/** In version 2 a cgroup with processes has none below it with controllers, so there none is shared. */
function groupIdOf({ version, groupIds }: Context, { containerId, sharedCgroup }: ContainerRecord): string {
  if (sharedCgroup === undefined || version === 2) return containerId;
  return groupIds.get(sharedCgroup.containerId) ?? sharedCgroup.containerId;
}

function cgroupWithId({ hierarchies, rootName, version }: Context, id: string): Cgroup {
  const places = [...hierarchies].map(([name, { mountPoint }]) => [name, `${mountPoint}/${rootName}/${id}`] as const);
  return { id, version, directories: new Map(places) };
}

function join(context: Context, record: ContainerRecord): Group {
  const { groups, groupIds } = context;
  const id = groupIdOf(context, record);
  let group = groups.get(id);
  if (group === undefined) {
    group = { cgroup: cgroupWithId(context, id), members: new Map(), isMade: false, last: Promise.resolve() };
    groups.set(id, group);
  }
  group.members.set(record.containerId, record);
  groupIds.set(record.containerId, id);
  return group;
}

/** CGROUPS-2. */
function inTurn<T>(group: Group, change: () => Promise<T>): Promise<T> {
  const changed = group.last.then(change);
  group.last = changed.catch(() => undefined);
  return changed;
}

async function make(context: Context, { id }: Cgroup): Applied {
  const { files, hierarchies, version, rootName, roots } = context;
  for (const root of roots) {
    const made = await files.makeDirectory(root);
    if (!made.ok) return err(made.error.message);
  }
  if (version === 2) {
    const enabled = await enableControllers(files, hierarchies, rootName);
    if (!enabled.ok) return enabled;
  }
  for (const place of directoriesOf(context, id)) {
    const made = await files.makeDirectory(place);
    if (!made.ok) return err(made.error.message);
  }
  return ok(undefined);
}

/** CGROUPS-1. */
function prepare(context: Context, record: ContainerRecord): Promise<Result<Cgroup, string>> {
  const group = join(context, record);
  return inTurn(group, async () => {
    const made = await make(context, group.cgroup);
    if (!made.ok) return made;
    const applied = await context.setLimits(group.cgroup, demandOfMembers(group.members), !group.isMade);
    group.isMade ||= applied.ok;
    return applied.ok ? ok(group.cgroup) : applied;
  });
}

/** CGROUPS-3. */
async function recover(context: Context, alive: readonly ContainerRecord[]): Promise<void> {
  const { files, groups, roots } = context;
  const records = new Map(alive.map((record) => [record.containerId as string, record]));
  for (const record of alive) joinOutermostFirst(context, records, record);
  for (const group of groups.values()) group.isMade = true;
  for (const root of roots) {
    for (const id of await namesInCgroup(files, root))
      if (!groups.has(id)) await removeCgroup(files, `${root}/${id}`, 0);
  }
}

async function cleanUp(context: Context, containerId: string): Promise<void> {
  const { files, groups, groupIds, setLimits } = context;
  const group = groups.get(groupIds.get(containerId) ?? '');
  groupIds.delete(containerId);
  if (group === undefined) return removeAll(files, directoriesOf(context, containerId));
  group.members.delete(containerId);
  await inTurn(group, async () => {
    if (group.members.size > 0) await setLimits(group.cgroup, demandOfMembers(group.members), false);
    else {
      groups.delete(group.cgroup.id);
      await removeAll(files, directoriesOf(context, group.cgroup.id));
    }
  });
}

export function createContainerCgroups(
  files: Files,
  hierarchies: ReadonlyMap<string, CgroupHierarchy>,
  rootName: string,
  setLimits: SetLimits,
): ContainerCgroups {
  const version = [...hierarchies.values()][0]?.version ?? 1;
  const roots = [...new Set([...hierarchies.values()].map(({ mountPoint }) => `${mountPoint}/${rootName}`))];
  const groups = new Map<string, Group>();
  const groupIds = new Map<string, string>();
  const context: Context = { files, hierarchies, version, rootName, roots, setLimits, groups, groupIds };
  const groupOf = (containerId: string): Group | undefined => groups.get(groupIds.get(containerId) ?? '');
  return {
    prepare: (record) => prepare(context, record),
    async update(record) {
      const group = groupOf(record.containerId);
      if (group === undefined) return ok(undefined);
      const before = demandOfMembers(group.members);
      group.members.set(record.containerId, record);
      if (isDeepEqual(before, demandOfMembers(group.members))) return ok(undefined);
      return inTurn(group, () => setLimits(group.cgroup, demandOfMembers(group.members), false));
    },
    recover: (alive) => recover(context, alive),
    cleanUp: (containerId) => cleanUp(context, containerId),
    cgroupOf: (containerId) => groupOf(containerId)?.cgroup,
    cgroupNamed(containerId) {
      const group = groups.get(containerId);
      if (group === undefined) return undefined;
      const { cgroup, members } = group;
      return { cgroup, demand: demandOfMembers(members), isMember: members.has(containerId) };
    },
    isUsed: ({ id }) => groups.has(id),
    locate: (record) => cgroupWithId(context, groupIdOf(context, record)),
    demandOf(containerId) {
      const group = groupOf(containerId);
      return group && demandOfMembers(group.members);
    },
  };
}

/** The container around another one is added before it, so that both find the same cgroup. */
function joinOutermostFirst(
  context: Context,
  records: ReadonlyMap<string, ContainerRecord>,
  record: ContainerRecord,
): void {
  const chain: ContainerRecord[] = [];
  for (let at: ContainerRecord | undefined = record; at !== undefined && !chain.includes(at); ) {
    chain.push(at);
    at = records.get(at.sharedCgroup?.containerId ?? '');
  }
  for (const each of chain.toReversed()) join(context, each);
}

async function removeAll(files: Files, places: readonly string[]): Promise<void> {
  for (const place of places) await removeCgroup(files, place);
}

/** A controller of version 2 is in a cgroup if the cgroups above it enable it for those below them. */
async function enableControllers(
  files: Files,
  hierarchies: ReadonlyMap<string, CgroupHierarchy>,
  rootName: string,
): Applied {
  const names = [...hierarchies.keys()].filter((name) => name !== UNIFIED);
  if (names.length === 0) return ok(undefined);
  const text = names.map((name) => `+${name}`).join(' ');
  const mountPoint = [...hierarchies.values()][0]?.mountPoint ?? '';
  const parts = rootName.split('/');
  for (let depth = 0; depth <= parts.length; depth++) {
    const directory = [mountPoint, ...parts.slice(0, depth)].join('/');
    const enabled = files.readTextNow(`${directory}/cgroup.subtree_control`)?.trim().split(' ') ?? [];
    if (names.every((name) => enabled.includes(name))) continue;
    const written = await files.write(`${directory}/cgroup.subtree_control`, text);
    if (!written.ok) return err(written.error.message);
  }
  return ok(undefined);
}
