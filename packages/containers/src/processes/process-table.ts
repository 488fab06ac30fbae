// The processes of this machine as /proc shows them, and which of them belong to a container: the descendants of
// its first process, and whoever shares a session or a process group with one of those (as Mesos' posix launcher).
import type { Files } from '@meseta/base';

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
  /** Ticks since boot: with the pid it names one process for good, as pids are used again. */
  readonly startTicks: number;
  readonly residentPages: number;
}

/** Of those below, counted as proc(5) does. */
const LAST_FIELD = 24;

/** One line of /proc/PID/stat (proc(5)); the name in parentheses may hold anything. */
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

/** Whether exactly the process that `known` is a reading of lives. */
export function stillLives(files: Files, known: ProcessStat): boolean {
  const now = readStat(files, known.pid);
  return isLive(now) && now.startTicks === known.startTicks;
}

/** The live processes of a moment. Indexed once, as the members of many containers are looked up in one reading. */
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

const sliceMs = 2;

/** All live processes, read in slices so that thousands don't stop the event loop. */
export async function readProcessTable(files: Files): Promise<ProcessTable> {
  const table = createProcessTable();
  let sliceEnd = performance.now() + sliceMs;
  for (const name of files.listNow('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const stat = readStat(files, Number(name));
    if (isLive(stat)) addProcess(table, stat);
    if (performance.now() > sliceEnd) {
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + sliceMs;
    }
  }
  return table;
}

/**
 * For many who ask at about the same time: those who ask while a reading is under way share the next, so each gets a
 * table that was begun after it asked.
 */
export function createTableReader(files: Files): () => Promise<ProcessTable> {
  let underWay: Promise<unknown> = Promise.resolve();
  let next: Promise<ProcessTable> | undefined;
  return () => {
    next ??= underWay.then(() => {
      const reading = readProcessTable(files);
      underWay = reading.catch(() => undefined);
      next = undefined;
      return reading;
    });
    return next;
  };
}

const forgetEveryMs = 5000;

export type SessionWatch = ReturnType<typeof createSessionWatch>;

/**
 * Tells cheaply which of some ended session leaders have left members. A process never joins a session that it wasn't born
 * into, so each pid is read once and remembered while it is there; for the pids that are used again, all is
 * forgotten from time to time.
 */
export function createSessionWatch(files: Files): {
  /** `elsewhere`: pids known to be in none of these sessions. */
  nonEmpty(leaders: ReadonlySet<number>, elsewhere: ReadonlySet<number>): ReadonlySet<number>;
} {
  let known = new Map<string, number>();
  let forgottenMs = performance.now();
  return {
    nonEmpty(leaders, elsewhere) {
      const now = performance.now();
      if (now - forgottenMs > forgetEveryMs) {
        known = new Map();
        forgottenMs = now;
      }
      const found = new Set<number>();
      const present = new Map<string, number>();
      for (const name of files.listNow('/proc')) {
        const first = name.charCodeAt(0);
        if (first < 48 || first > 57) continue;
        if (elsewhere.has(Number(name))) continue;
        let session = known.get(name);
        if (session === undefined || leaders.has(session) || leaders.has(Number(name))) {
          const stat = readStat(files, Number(name));
          session = stat?.session ?? 0;
          if (isLive(stat) && leaders.has(session)) found.add(session);
        }
        if (session !== 0) present.set(name, session);
      }
      known = present;
      return found;
    },
  };
}

/** The members of the containers that `roots` lead, each root's own; sessions and groups in `foreign` aren't followed. */
export function membersOf(
  table: ProcessTable,
  roots: ReadonlySet<number>,
  foreign: ReadonlySet<number>,
): Map<number, readonly ProcessStat[]> {
  return new Map([...roots].map((root) => [root, membersOfOne(table, root, foreign)]));
}

function membersOfOne(table: ProcessTable, root: number, foreign: ReadonlySet<number>): readonly ProcessStat[] {
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
  // A session outlives its leader: the root's own is followed even when the root has gone.
  follow(table.bySession.get(root));
  follow(table.byGroup.get(root));
  // Grows meanwhile.
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
