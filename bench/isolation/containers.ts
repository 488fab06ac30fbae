// A containerizer on this machine for the experiments, with or without isolation.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { supervisorCommand } from '@meseta/agent/shell/supervisor-main';
import type { ContainerId } from '@meseta/base';
import { type Containerizer, createContainerizer } from '@meseta/containers/containerizer';
import { cgroupsOptions, isolationOptions, removeTestCgroups, testCgroup } from '@meseta/containers/testing/isolation';
import { fetcherIn, machinePorts } from '@meseta/containers/testing/machine-ports';
import type { ContainerEvent, Limitation } from '@meseta/containers/types';
import { cryptoRandom } from '@meseta/platform/crypto-random';
import type { Resource } from '@meseta/wire';

const WATCH_INTERVAL_MS = 100;
const PIDS_LIMIT = 100;

export interface Running {
  readonly id: ContainerId;
  readonly sandbox: string;
  /** Resolves when it has ended, with the limit that it exceeded. */
  readonly ended: Promise<Limitation | undefined>;
}

export interface Machine {
  readonly containers: Containerizer;
  /** Launches a shell command with a share of the machine's processors; resolves when it has started. */
  launch(name: string, command: string, share: number, megabytes: number, disk: number): Promise<Running>;
  end(container: Running): Promise<void>;
  close(): Promise<void>;
}

const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value } });

export async function openMachine(isIsolated: boolean): Promise<Machine> {
  const root = mkdtempSync(`${tmpdir()}/meseta-bench-isolation-`);
  const listeners = new Map<string, (event: ContainerEvent) => void>();
  const made = await createContainerizer({
    runtimeDir: `${root}/run`,
    workDir: root,
    ...machinePorts(),
    isolation: {
      ...isolationOptions,
      names: isIsolated ? 'cgroups/cpu,cgroups/mem,cgroups/pids,disk/du' : 'posix/cpu,posix/mem',
      diskWatchIntervalMs: WATCH_INTERVAL_MS,
      enforceDiskQuota: isIsolated,
      cgroups: { ...cgroupsOptions, root: testCgroup, pidsLimit: PIDS_LIMIT },
    },
    launcher: { name: isIsolated ? 'linux' : 'posix', destroyTimeoutMs: 60_000 },
    random: cryptoRandom(),
    warn: (message) => console.error(message),
    supervisor: supervisorCommand(resolve('dist/meseta.mjs')),
    fetcher: fetcherIn(root),
    onEvent: (event) => listeners.get(event.containerId)?.(event),
  });
  if (!made.ok) throw new Error(made.error);
  const containers = made.value;
  for (const warning of containers.warnings) throw new Error(`this machine can't show isolation: ${warning}`);
  let count = 0;
  return {
    containers,
    async launch(name, command, share, megabytes, disk) {
      const id = `${name}-${count++}` as ContainerId;
      const sandbox = `${root}/${id}`;
      mkdirSync(sandbox);
      const resources = [scalar('cpus', cpus().length * share), scalar('mem', megabytes), scalar('disk', disk)];
      let onEnded = (_limitation: Limitation | undefined): void => {};
      const ended = new Promise<Limitation | undefined>((resolve) => {
        onEnded = resolve;
      });
      await new Promise<void>((started, failed) => {
        listeners.set(id, (event) => {
          if (event.kind === 'started') started();
          else if (event.kind === 'launchFailed') failed(new Error(event.message));
          else onEnded(event.limitation);
        });
        containers.launch({
          containerId: id,
          sandbox,
          user: undefined,
          command: { value: command },
          environment: { PATH: '/usr/bin:/bin' },
          uris: [],
          rlimits: undefined,
          resources,
          container: undefined,
          volumes: [],
        });
      });
      return { id, sandbox, ended };
    },
    async end({ id, ended }) {
      containers.destroy(id);
      await ended;
      containers.remove(id);
    },
    async close() {
      await containers.close();
      rmSync(root, { recursive: true, force: true });
      await removeTestCgroups();
    },
  };
}
