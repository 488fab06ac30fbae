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

export type ProcessTable = ReadonlyMap<number, ProcessStat>;

const sliceMs = 2;

/** All live processes, read in slices so that thousands don't stop the event loop. */
export async function readProcessTable(files: Files): Promise<ProcessTable> {
  const table = new Map<number, ProcessStat>();
  let sliceEnd = performance.now() + sliceMs;
  for (const name of files.listNow('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const stat = readStat(files, Number(name));
    if (isLive(stat)) table.set(stat.pid, stat);
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
): Map<number, ProcessStat[]> {
  const children = new Map<number, ProcessStat[]>();
  const sessions = new Map<number, ProcessStat[]>();
  const groups = new Map<number, ProcessStat[]>();
  const add = (index: Map<number, ProcessStat[]>, key: number, stat: ProcessStat): void => {
    const list = index.get(key);
    if (list) list.push(stat);
    else index.set(key, [stat]);
  };
  for (const stat of table.values()) {
    add(children, stat.parent, stat);
    add(sessions, stat.session, stat);
    add(groups, stat.group, stat);
  }
  const members = new Map<number, ProcessStat[]>();
  for (const root of roots) {
    const seen = new Set<number>();
    const found: ProcessStat[] = [];
    const queue: number[] = [root];
    const followed = new Set<number>(foreign);
    const follow = (list: readonly ProcessStat[] | undefined): void => {
      for (const stat of list ?? []) if (!seen.has(stat.pid)) queue.push(stat.pid);
    };
    // A session outlives its leader: the root's own is followed even when the root has gone.
    follow(sessions.get(root));
    follow(groups.get(root));
    for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
      if (seen.has(pid)) continue;
      seen.add(pid);
      const stat = table.get(pid);
      if (stat === undefined) continue;
      found.push(stat);
      follow(children.get(pid));
      for (const key of [stat.session, stat.group]) {
        if (followed.has(key)) continue;
        followed.add(key);
        follow(sessions.get(key));
        follow(groups.get(key));
      }
    }
    members.set(root, found);
  }
  return members;
}
