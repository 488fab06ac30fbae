// Usage: node scripts/bench.mjs launcher/launches: containers launched and ended each second by the posix launcher,
// beside a bare fork, exec and wait of the same command from a shell, one after another
// and as many at once; and what a live task costs in memory.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { ContainerId } from '@meseta/base';
import { type ContainerEvent, type ContainerSpec, createContainerizer } from '@meseta/containers';
import { realClock } from '@meseta/platform';
import { createFiles } from '@meseta/platform/files';
import { createOutbound } from '@meseta/platform/outbound';
import { createProcesses } from '@meseta/platform/processes';

const COUNT = 1000;
const AT_ONCE = 200;
const LIVE = 100;
const COMMAND = 'exit 0';

const root = mkdtempSync(`${tmpdir()}/meseta-bench-`);
let heard = (_event: ContainerEvent): void => {};
const made = await createContainerizer({
  runtimeDir: `${root}/run`,
  workDir: root,
  clock: realClock,
  isolation: { names: 'posix/cpu,posix/mem', diskWatchIntervalMs: 15_000, enforceDiskQuota: false },
  rotation: undefined,
  files: createFiles(),
  processes: createProcesses(),
  outbound: createOutbound(),
  fetcher: {
    cacheDir: `${root}/cache`,
    cacheBytes: 0,
    frameworksHome: undefined,
    stallTimeoutMs: 1000,
    maxUriBytes: 1e9,
    maxTaskBytes: 1e9,
  },
  onEvent: (event) => heard(event),
});
if (!made.ok) throw new Error(made.error);
const containers = made.value;

const sandbox = `${root}/sandbox`;
mkdirSync(sandbox);
const spec = (name: string, value: string): ContainerSpec => ({
  containerId: name as ContainerId,
  sandbox,
  user: undefined,
  command: { value },
  environment: { PATH: '/usr/bin:/bin', MESOS_SANDBOX: sandbox },
  uris: [],
  rlimits: undefined,
  resources: [],
  container: undefined,
  volumes: [],
});

/** All of them, `AT_ONCE` in flight; launches a second. */
function launches(round: number): Promise<number> {
  const begun = performance.now();
  let next = 0;
  let ended = 0;
  return new Promise((resolve, reject) => {
    const launch = (): void => {
      if (next < COUNT) containers.launch(spec(`c${round}-${next++}`, COMMAND));
    };
    heard = (event) => {
      if (event.kind === 'launchFailed') reject(new Error(event.message));
      if (event.kind !== 'exited') return;
      containers.remove(event.containerId);
      ended++;
      if (ended === COUNT) resolve((COUNT / (performance.now() - begun)) * 1000);
      else launch();
    };
    for (let i = 0; i < AT_ONCE; i++) launch();
  });
}

/** The same command by a bare shell, `atOnce` at once; a second. */
function bare(atOnce: number): number {
  const one = atOnce === 1 ? 'sh -c "$1"; ' : `${'sh -c "$1" & '.repeat(atOnce)}wait; `;
  const script = `i=0; while [ $i -lt ${COUNT / atOnce} ]; do ${one}i=$((i+1)); done`;
  const begun = performance.now();
  spawnSync('/bin/sh', ['-c', script, 'sh', COMMAND]);
  return (COUNT / (performance.now() - begun)) * 1000;
}

const pss = (pid: string): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);

/** Memory and number of the processes beside the tasks themselves. */
async function live(): Promise<{ processes: number; kilobytes: number }> {
  let started = 0;
  await new Promise<void>((resolve) => {
    heard = (event) => {
      if (event.kind === 'started' && ++started === LIVE) resolve();
    };
    for (let i = 0; i < LIVE; i++) containers.launch(spec(`l${i}`, 'exec sleep 600'));
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const own = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && command(pid).includes('meseta-spawner'));
  const kilobytes = own.reduce((sum, pid) => sum + pss(pid), 0);
  let ended = 0;
  await new Promise<void>((resolve) => {
    heard = (event) => {
      if (event.kind === 'exited' && ++ended === LIVE) resolve();
    };
    for (let i = 0; i < LIVE; i++) containers.destroy(`l${i}` as ContainerId);
  });
  return { processes: own.length, kilobytes };
}

function command(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const rounds: { bare: number; bareAtOnce: number; ours: number; cpuMs: number }[] = [];
for (let round = 0; round < 3; round++) {
  const baselines = { bare: bare(1), bareAtOnce: bare(AT_ONCE) };
  const before = process.cpuUsage();
  const ours = await launches(round);
  const used = process.cpuUsage(before);
  rounds.push({ ...baselines, ours, cpuMs: (used.user + used.system) / 1000 / COUNT });
}
const memory = await live();
await containers.close();
await new Promise((resolve) => setTimeout(resolve, 100));
rmSync(root, { recursive: true, force: true });

const figure = (value: number): string => value.toFixed(0).padStart(5);
for (const it of rounds) {
  console.log(
    `containers ${figure(it.ours)}/s   bare ${figure(it.bare)}/s (${(it.ours / it.bare).toFixed(2)})   ` +
      `bare, ${AT_ONCE} at once ${figure(it.bareAtOnce)}/s (${(it.ours / it.bareAtOnce).toFixed(2)})   ` +
      `agent CPU ${it.cpuMs.toFixed(2)} ms each`,
  );
}
console.log(
  `${LIVE} live tasks: ${memory.processes} processes beside them, ${(memory.kilobytes / LIVE).toFixed(0)} KB (PSS) a task`,
);
