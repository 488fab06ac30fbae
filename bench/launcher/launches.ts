// Usage: node scripts/bench.mjs launcher/launches: containers launched and ended each second by the posix launcher,
// beside a bare fork, exec and wait of the same command from a shell, one after another
// and as many at once; CPU of agent and supervisor; what live tasks cost in memory; and a killed supervisor.
// Needs the built dist/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { supervisorCommand } from '@meseta/agent/shell/supervisor-main';
import type { ContainerId } from '@meseta/base';
import { type ContainerEvent, type ContainerSpec, createContainerizer } from '@meseta/containers';
import { isolationOptions } from '@meseta/containers/testing/isolation';
import { fetcherIn, machinePorts } from '@meseta/containers/testing/machine-ports';
import { cryptoRandom } from '@meseta/platform/crypto-random';
import { cpuOf, processesLike } from '../lib/processes.js';

const COUNT = 1000;
const AT_ONCE = 200;
const LIVE = 100;
const COMMAND = 'exit 0';

const root = mkdtempSync(`${tmpdir()}/meseta-bench-`);
let heard = (_event: ContainerEvent): void => {};
const made = await createContainerizer({
  runtimeDir: `${root}/run`,
  workDir: root,
  ...machinePorts(),
  random: cryptoRandom(),
  isolation: isolationOptions,
  launcher: { name: 'posix', destroyTimeoutMs: 60_000 },
  warn: (message) => process.stderr.write(`${message}\n`),
  supervisor: supervisorCommand(resolve('dist/meseta.mjs')),
  fetcher: fetcherIn(root),
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

/** The supervisor of this benchmark. */
function findSupervisor(): ReturnType<typeof processesLike>[number] {
  const [found] = processesLike(new RegExp(`meseta\\.mjs supervisor ${root}`));
  if (found === undefined) throw new Error('no supervisor runs');
  return found;
}

/** Launches as many containers and waits until all run. */
async function start(count: number, name: string): Promise<void> {
  let started = 0;
  await new Promise<void>((resolve) => {
    heard = (event) => {
      if (event.kind === 'started' && ++started === count) resolve();
    };
    for (let i = 0; i < count; i++) containers.launch(spec(`${name}${i}`, 'exec sleep 600'));
  });
}

/** Kills the supervisor of live tasks. Returns how long the next launch takes, and how many of the tasks are known after it. */
async function killSupervisor(): Promise<{ readonly nextMs: number; readonly recovered: number }> {
  const { pid } = findSupervisor();
  const begun = performance.now();
  process.kill(pid, 'SIGKILL');
  await start(1, 'after');
  const nextMs = performance.now() - begun;
  let ended = 0;
  await new Promise<void>((resolve) => {
    heard = (event) => {
      if (event.kind === 'exited' && ++ended === LIVE + 1) resolve();
    };
    containers.destroy('after0' as ContainerId);
    for (let i = 0; i < LIVE; i++) containers.destroy(`l${i}` as ContainerId);
  });
  return { nextMs, recovered: ended - 1 };
}

const rounds: { bare: number; bareAtOnce: number; ours: number; agentMs: number; supervisorMs: number }[] = [];
for (let round = 0; round < 3; round++) {
  const baselines = { bare: bare(1), bareAtOnce: bare(AT_ONCE) };
  const before = process.cpuUsage();
  const { pid } = findSupervisor();
  const supervisorSeconds = cpuOf(pid);
  const ours = await launches(round);
  const used = process.cpuUsage(before);
  rounds.push({
    ...baselines,
    ours,
    agentMs: (used.user + used.system) / 1000 / COUNT,
    supervisorMs: ((cpuOf(pid) - supervisorSeconds) * 1000) / COUNT,
  });
}
await start(LIVE, 'l');
const memory = findSupervisor();
const killed = await killSupervisor();
await containers.close();
await new Promise((resolve) => setTimeout(resolve, 100));
rmSync(root, { recursive: true, force: true });

const figure = (value: number): string => value.toFixed(0).padStart(5);
for (const it of rounds) {
  console.log(
    `containers ${figure(it.ours)}/s   bare ${figure(it.bare)}/s (${(it.ours / it.bare).toFixed(2)})   ` +
      `bare, ${AT_ONCE} at once ${figure(it.bareAtOnce)}/s (${(it.ours / it.bareAtOnce).toFixed(2)})   ` +
      `CPU each: agent ${it.agentMs.toFixed(2)} ms, supervisor ${it.supervisorMs.toFixed(2)} ms`,
  );
}
console.log(
  `supervisor of ${LIVE} live tasks: ${figure(memory.rss / 1024)} MB resident, ${figure(memory.pss / 1024)} MB (PSS)\n` +
    `supervisor killed: the next container ran after ${figure(killed.nextMs)} ms; ` +
    `${killed.recovered} of ${LIVE} tasks ran on and were ended by the next supervisor`,
);
