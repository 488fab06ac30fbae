// Noisy neighbours: a victim that computes on half of the machine, beside a container with more threads, memory, processes or
// files than it may have, with isolation (linux launcher, cgroups, disk quota) and without (posix launcher). Needs root.
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { benchmark, type Scale } from '../lib/benchmark.js';
import type { Measured } from '../lib/figures.js';
import { type Machine, openMachine, type Running } from './containers.js';

const HALF = 0.5;
const MEMORY_MB = 64;
const DISK_MB = 64;
const PIDS_LIMIT = 100;
const KEPT_SHARE = 0.9;
const SETTLE_MS = 500;
const POLL_MS = 50;

/** Each of its processes appends a byte to a file of its own after each round of arithmetic. */
const round = 'BEGIN { for (;;) { for (i = 0; i < 50000; i++) x += i; printf "." >> f; close(f) } }';
const victim = `i=0; while [ $i -lt ${Math.max(1, Math.floor(cpus().length * HALF))} ]; do awk -v f=count$i '${round}' & i=$((i+1)); done; wait`;

const THREADS = 64;
const MOST_MB = 1024;
const MOST_PROCESSES = 2000;
/** What each does without a limit is bounded here, so that the machine survives it. */
const hogs = {
  cpu: `i=0; while [ $i -lt ${THREADS} ]; do sh -c 'while :; do :; done' & i=$((i+1)); done; wait`,
  memory: `head -c ${MOST_MB}m /dev/zero | tail >/dev/null & wait; sleep 600`,
  processes: `i=0; while [ $i -lt ${MOST_PROCESSES} ]; do sleep 600 & i=$((i+1)); done; wait`,
  disk: `head -c ${MOST_MB}m /dev/zero >file; sleep 600`,
} as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const roundsOf = ({ sandbox }: Running): number =>
  readdirSync(sandbox)
    .filter((name) => name.startsWith('count'))
    .reduce((sum, name) => sum + statSync(`${sandbox}/${name}`).size, 0);

/** Rounds a second. */
async function throughput(container: Running, ms: number): Promise<number> {
  await pause(SETTLE_MS);
  const before = roundsOf(container);
  const begun = performance.now();
  await pause(ms);
  return ((roundsOf(container) - before) / (performance.now() - begun)) * 1000;
}

/** The victim's rounds a second alone, then beside a hog. */
async function beside(
  machine: Machine,
  hog: string,
  ms: number,
): Promise<{ readonly alone: number; readonly shared: number; readonly part: number }> {
  const victimOf = await machine.launch('victim', victim, HALF, MEMORY_MB, DISK_MB);
  const alone = await throughput(victimOf, ms);
  const neighbour = await machine.launch('hog', hog, HALF, MEMORY_MB, DISK_MB);
  const before = await Promise.all([victimOf, neighbour].map((it) => secondsOf(machine, it)));
  const shared = await throughput(victimOf, ms);
  const after = await Promise.all([victimOf, neighbour].map((it) => secondsOf(machine, it)));
  const [own = 0, others = 0] = after.map((seconds, index) => seconds - (before[index] ?? 0));
  for (const each of [neighbour, victimOf]) await machine.end(each);
  return { alone, shared, part: own / (own + others) };
}

/** The processor time that it has used. */
async function secondsOf({ containers }: Machine, { id }: Running): Promise<number> {
  const { cpus_user_time_secs: user = 0, cpus_system_time_secs: system = 0 } = (await containers.usage(id)) ?? {};
  return user + system;
}

/** The most that a hog has of something, until it is ended for that or the time is over. */
async function most(
  machine: Machine,
  hog: string,
  ms: number,
  measure: (it: Running) => Promise<number>,
): Promise<number> {
  const it = await machine.launch('hog', hog, HALF, MEMORY_MB, DISK_MB);
  let isEnded = false;
  void it.ended.then(() => {
    isEnded = true;
  });
  let highest = 0;
  const deadlineMs = performance.now() + ms;
  while (!isEnded && performance.now() < deadlineMs) {
    highest = Math.max(highest, await measure(it));
    await pause(POLL_MS);
  }
  if (!isEnded) await machine.end(it);
  return highest;
}

const MEGABYTE = 2 ** 20;

async function experiments({ full }: Scale): Promise<readonly Measured[]> {
  const ms = full ? 10_000 : 2000;
  const isolated = await openMachine(true);
  const open = await openMachine(false);
  const figures: Measured[] = [];
  for (const [machine, name] of [
    [isolated, 'isolated'],
    [open, 'not isolated'],
  ] as const) {
    for (const hog of ['cpu', 'memory', 'processes'] as const) {
      const { alone, shared, part } = await beside(machine, hogs[hog], ms);
      figures.push({
        name: `victim beside a hog of ${hog}, ${name}`,
        unit: 'rounds/s',
        value: shared,
        baseline: { name: 'alone', value: alone },
        ...(machine === isolated ? { target: { of: 'ratio', is: 'at least', limit: KEPT_SHARE } } : {}),
      });
      // Of what both get: this is the same however busy the machine is otherwise.
      if (hog === 'cpu') {
        figures.push({
          name: `processor time of the victim, ${name}`,
          unit: 'of both',
          value: part,
          ...(machine === isolated ? { target: { of: 'value', is: 'at least', limit: KEPT_SHARE * HALF } } : {}),
        });
      }
    }
  }
  const usage = async (machine: Machine, { id }: Running) => (await machine.containers.usage(id)) ?? {};
  const taken = async (
    name: string,
    unit: string,
    hog: string,
    limit: number,
    measure: (machine: Machine, it: Running) => Promise<number>,
  ): Promise<void> => {
    const [value, without] = [
      await most(isolated, hog, ms, (it) => measure(isolated, it)),
      await most(open, hog, ms, (it) => measure(open, it)),
    ];
    figures.push({
      name,
      unit,
      value,
      baseline: { name: 'not isolated', value: without },
      target: { of: 'value', is: 'at most', limit },
    });
  };
  await taken('memory of a hog', 'MB', hogs.memory, MEMORY_MB, async (machine, it) => {
    const { mem_total_bytes: total, mem_rss_bytes: resident = 0 } = await usage(machine, it);
    return (total ?? resident) / MEGABYTE;
  });
  await taken('processes of a hog', 'processes', hogs.processes, PIDS_LIMIT, (_machine, it) => countProcesses(it));
  await taken('files of a hog', 'MB', hogs.disk, MOST_MB / 2, (_machine, it) => writtenMb(it));
  for (const machine of [isolated, open]) await machine.close();
  return figures;
}

/** Those that work in its sandbox. */
const countProcesses = async ({ sandbox }: Running): Promise<number> =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && worksIn(pid, sandbox)).length;

function worksIn(pid: string, directory: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === directory;
  } catch {
    return false;
  }
}

async function writtenMb({ sandbox }: Running): Promise<number> {
  const path = `${sandbox}/file`;
  return existsSync(path) ? (statSync(path).blocks * 512) / MEGABYTE : 0;
}

await benchmark('isolation', experiments);
