// Reads the processes of this machine from /proc, and finds those of a container: the descendants of its first process, and
// the processes that share a session or a process group with one of them, as Mesos' posix launcher does.
import type { Files } from '@meseta/base';

/** The unit of the times of a process, the same on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
export const TICKS_PER_SECOND = 100;

export interface ProcessStat {
  readonly pid: number;
  /** One letter; `Z` and `X` are dead. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly threads: number;
  /** Ticks since boot. As pids are reused, pid and start together identify a process. */
  readonly startTicks: number;
  readonly residentPages: number;
}

/** The highest number of the fields below, as proc(5) counts them. */
const LAST_FIELD = 24;

/** Parses a line of /proc/PID/stat (proc(5)). The name in parentheses may contain any characters. */
export function parseStat(text: string): ProcessStat | undefined {
  const close = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  if (close < 0 || !Number.isFinite(pid)) return undefined;
  const fields = text.slice(close + 2).split(' ', LAST_FIELD - 2);
  const at = (field: number): number => Number(fields[field - 3]);
  return {
    pid,
    state: fields[0] ?? '?',
    parent: at(4),
    group: at(5),
    session: at(6),
    userTicks: at(14),
    systemTicks: at(15),
    threads: at(20),
    startTicks: at(22),
    residentPages: at(24),
  };
}

export function readStat(files: Files, pid: number): ProcessStat | undefined {
  const text = files.readTextNow(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

export const isLive = (stat: ProcessStat | undefined): stat is ProcessStat =>
  stat !== undefined && stat.state !== 'Z' && stat.state !== 'X';

/** Whether the process that `known` was read of still lives. */
export function stillLives(files: Files, known: ProcessStat): boolean {
  const now = readStat(files, known.pid);
  return isLive(now) && now.startTicks === known.startTicks;
}

export const sumOf = (processes: readonly ProcessStat[], of: (process: ProcessStat) => number): number =>
  processes.reduce((total, each) => total + of(each), 0);

/** The live processes at one time, indexed for lookups of the members of many containers. */
export interface ProcessTable {
  readonly byPid: Map<number, ProcessStat>;
  readonly byParent: Map<number, ProcessStat[]>;
  readonly bySession: Map<number, ProcessStat[]>;
  readonly byGroup: Map<number, ProcessStat[]>;
}

export const createProcessTable = (): ProcessTable => ({
  byPid: new Map(),
  byParent: new Map(),
  bySession: new Map(),
  byGroup: new Map(),
});

export function addProcess(table: ProcessTable, stat: ProcessStat): void {
  const add = (index: Map<number, ProcessStat[]>, key: number): void => {
    const list = index.get(key);
    if (list) list.push(stat);
    else index.set(key, [stat]);
  };
  table.byPid.set(stat.pid, stat);
  add(table.byParent, stat.parent);
  add(table.bySession, stat.session);
  add(table.byGroup, stat.group);
}

const SLICE_MS = 2;

/** Calls `add` for those of the processes that live, in time slices so that thousands don't block the event loop. */
export async function readLive(files: Files, pids: Iterable<number>, add: (stat: ProcessStat) => void): Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS;
  for (const pid of pids) {
    const stat = readStat(files, pid);
    if (isLive(stat)) add(stat);
    if (performance.now() > sliceEnd) {
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
}

const isPid = (name: string): boolean => /^\d+$/.test(name);

/** Reads all live processes. */
export async function readProcessTable(files: Files): Promise<ProcessTable> {
  const table = createProcessTable();
  await readLive(files, files.listNow('/proc').filter(isPid).map(Number), (stat) => addProcess(table, stat));
  return table;
}

/**
 * Returns a function that reads the table. Calls during a reading share the next one, so each gets a table whose reading
 * started after the call.
 */
export function createTableReader(files: Files): () => Promise<ProcessTable> {
  let current: Promise<unknown> = Promise.resolve();
  let next: Promise<ProcessTable> | undefined;
  return () => {
    next ??= current.then(() => {
      const reading = readProcessTable(files);
      current = reading.catch(() => undefined);
      next = undefined;
      return reading;
    });
    return next;
  };
}

const CACHE_VALID_MS = 5000;

export type SessionWatch = ReturnType<typeof createSessionWatch>;

/**
 * Finds out cheaply which sessions of ended leaders still have members. A process never joins another's session, so
 * each pid is read once and cached while it exists. As pids are reused, the cache is emptied from time to time.
 */
export function createSessionWatch(files: Files): {
  /** `others`: pids known to be in none of these sessions. */
  nonEmpty(leaders: ReadonlySet<number>, others: ReadonlySet<number>): ReadonlySet<number>;
} {
  let sessions = new Map<string, number>();
  let emptiedMs = performance.now();
  return {
    nonEmpty(leaders, others) {
      const nowMs = performance.now();
      if (nowMs - emptiedMs > CACHE_VALID_MS) {
        sessions = new Map();
        emptiedMs = nowMs;
      }
      const found = new Set<number>();
      const present = new Map<string, number>();
      for (const name of files.listNow('/proc')) {
        const first = name.charCodeAt(0);
        if (first < 48 || first > 57) continue;
        if (others.has(Number(name))) continue;
        let session = sessions.get(name);
        if (session === undefined || leaders.has(session) || leaders.has(Number(name))) {
          const stat = readStat(files, Number(name));
          session = stat?.session ?? 0;
          if (isLive(stat) && leaders.has(session)) found.add(session);
        }
        if (session !== 0) present.set(name, session);
      }
      sessions = present;
      return found;
    },
  };
}

/** Finds the processes of the container whose first process is `root`. Sessions and groups in `foreign` aren't followed. */
export function findMembers(table: ProcessTable, root: number, foreign: ReadonlySet<number>): readonly ProcessStat[] {
  const seen = new Set<number>([root]);
  const followed = new Set<number>(foreign);
  const leader = table.byPid.get(root);
  const found: ProcessStat[] = leader === undefined ? [] : [leader];
  const follow = (list: readonly ProcessStat[] | undefined): void => {
    for (const stat of list ?? []) {
      if (seen.has(stat.pid)) continue;
      seen.add(stat.pid);
      found.push(stat);
    }
  };
  // A session outlives its leader: it is followed even when the root has ended.
  follow(table.bySession.get(root));
  follow(table.byGroup.get(root));
  // `follow` appends to the list during the iteration.
  for (const stat of found) {
    follow(table.byParent.get(stat.pid));
    for (const key of [stat.session, stat.group]) {
      if (followed.has(key)) continue;
      followed.add(key);
      follow(table.bySession.get(key));
      follow(table.byGroup.get(key));
    }
  }
  return found;
}
