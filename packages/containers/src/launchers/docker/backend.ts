// Containers of type DOCKER for the containerizer: their preparation, the Docker launcher, probes and measurements.
import { err, type Outbound, ok, type Processes, type Result, type SendLocalRequest } from '@meseta/base';
import type { Backend, BackendPorts } from '../../composing.js';
import { createConcurrencyLimit } from '../../concurrency.js';
import { readTotalMemoryBytes } from '../../host-facts.js';
import { isDockerPlan } from '../../plan/any-plan.js';
import { prepareSandbox } from '../../sandbox/prepare.js';
import { makePlace } from '../../sandbox/volumes.js';
import type { ContainerSpec, Probe, ProbeResult } from '../../types.js';
import { createDockerLauncher, type DockerLauncher } from './docker.js';
import { type DockerPlan, type DockerPlanOptions, planDockerContainer } from './docker-plan.js';
import { parseRegistryCredentials, type RegistryCredentials } from './image-names.js';
import type { DockerLauncherOptions } from './state.js';
import { usageOf } from './statistics.js';

/** From the flags of the agent. */
export interface DockerOptions
  extends Pick<DockerLauncherOptions, 'enableCfs' | 'stopTimeoutMs' | 'removeDelayMs' | 'killOrphans'> {
  /** `--docker_socket` */
  readonly socket: string;
  /** `--docker_config`, as JSON. */
  readonly config: string | undefined;
  readonly defaultDns: DockerPlanOptions['defaultDns'];
  readonly sandboxDirectory: string;
  /** Tells the agents of a machine apart. */
  readonly agent: string;
  readonly sendLocalRequest: SendLocalRequest;
}

export interface DockerPorts extends BackendPorts {
  readonly processes: Processes;
  readonly outbound: Outbound;
  /** For the log. */
  readonly warn: (text: string) => void;
}

const MAX_PREPARATIONS = 64;
const SIGKILL = 9;

const failed = (message: string): ProbeResult => ({ kind: 'failed', message });

function credentialsIn(config: string | undefined): Result<RegistryCredentials, string> {
  if (config === undefined) return ok(new Map());
  const parsed = parseRegistryCredentials(config);
  return parsed.ok ? parsed : err(`--docker_config: ${parsed.error}`);
}

/** The backend and the problem of an engine that doesn't answer now. */
export async function createDockerBackend(
  options: DockerOptions,
  ports: DockerPorts,
): Promise<Result<{ readonly backend: Backend; readonly warnings: readonly string[] }, string>> {
  const credentials = credentialsIn(options.config);
  if (!credentials.ok) return credentials;
  const planOptions = { ...options, totalMemoryBytes: readTotalMemoryBytes(ports.files) ?? Number.MAX_SAFE_INTEGER };
  const launcher = await createDockerLauncher({
    ...planOptions,
    ...ports,
    directory: `${ports.runtimeDir}/docker`,
    send: options.sendLocalRequest,
    credentials: credentials.value,
  });
  if (!launcher.ok) return launcher;
  const { problem } = launcher.value;
  const warnings =
    problem === undefined
      ? []
      : [`--containerizers: tasks of type DOCKER fail until the Docker engine answers: ${problem} (--docker_socket)`];
  return ok({ backend: createBackend(launcher.value, planOptions, ports), warnings });
}

function createBackend(launcher: DockerLauncher, planOptions: DockerPlanOptions, ports: DockerPorts): Backend {
  const limitPreparations = createConcurrencyLimit(MAX_PREPARATIONS);
  const runProbe = createDockerProber(launcher, ports);
  return {
    name: 'docker',
    async prepare(spec) {
      await ports.removals.endedAround(spec.sandbox);
      return limitPreparations(() => prepare(spec, planOptions, ports));
    },
    launch(containerId, plan) {
      if (isDockerPlan(plan)) launcher.launch(containerId, plan);
    },
    send: async () => ({ refused: 'a container of type DOCKER has no input' }),
    signal: launcher.signal,
    destroy: launcher.destroy,
    remove: launcher.remove,
    // The engine limits the container, and reports what killed it with its end.
    watch: () => {},
    update: launcher.update,
    networksOf: () => undefined,
    probe: ({ containerId }, probe, timeoutMs) => runProbe(containerId, probe, timeoutMs),
    async usage(containerId, isRunning) {
      const stats = isRunning ? await launcher.stats(containerId) : undefined;
      return stats === undefined ? undefined : usageOf(stats);
    },
    cleanUp: async () => {},
    findLimitation: () => undefined,
    removeLeftovers: async () => {},
    recover: launcher.recover,
    close: launcher.close,
  };
}

/** Makes the sandbox, the directories of volumes and the files of the output. */
async function prepare(
  spec: ContainerSpec,
  planOptions: DockerPlanOptions,
  { files, resolveOwner, makeStreams }: DockerPorts,
): Promise<Result<DockerPlan, string>> {
  if (spec.container?.type !== 'DOCKER') {
    return err('container.type: expected DOCKER: --containerizers of this agent names docker only');
  }
  const owner = await resolveOwner(spec.user);
  if (!owner.ok) return owner;
  const made = await prepareSandbox(files, spec, owner.value);
  if (!made.ok) return made;
  const streams = await makeStreams(spec.sandbox, owner.value);
  if (!streams.ok) return streams;
  const plan = planDockerContainer(spec, owner.value, planOptions);
  if (!plan.ok) return plan;
  const directories = [
    ...spec.volumes.map(({ place }) => ({ place, isPersistent: true })),
    ...plan.value.directories.map((place) => ({ place, isPersistent: false })),
  ];
  for (const directory of directories) {
    const done = await makePlace(files, directory, owner.value);
    if (!done.ok) return err(`volume ${directory.place.names.join('/')}: ${done.error.message}`);
  }
  return plan;
}

/** Runs commands in the container, and connects to its ports at its address. */
function createDockerProber(launcher: DockerLauncher, { outbound, processes }: DockerPorts) {
  async function runCommand(
    containerId: ContainerSpec['containerId'],
    { command, environment }: Extract<Probe, { kind: 'command' }>,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const value = command.value ?? '';
    if (value === '') return failed('command.value: expected a command, got nothing');
    const words = (command.shell ?? true) ? ['/bin/sh', '-c', value] : [value, ...(command.arguments ?? [])];
    // The container has its own variables; the command may have some in addition.
    const own = (command.environment?.variables ?? []).map(({ name }) => `${name}=${environment[name] ?? ''}`);
    const run = await launcher.exec(containerId, { words, environment: own }, timeoutMs);
    if (!run.ok) return failed(run.error.message);
    if (run.value.kind === 'exited') return { kind: 'command', status: run.value };
    if (run.value.pid !== undefined) processes.kill(-run.value.pid, SIGKILL);
    return { kind: 'timedOut' };
  }

  return async (containerId: ContainerSpec['containerId'], probe: Probe, timeoutMs: number): Promise<ProbeResult> => {
    if (probe.kind === 'command') return runCommand(containerId, probe, timeoutMs);
    const host = await launcher.host(containerId, probe.ipv6);
    if (!host.ok) return failed(host.error);
    if (probe.kind === 'tcp') {
      const connected = await outbound.connects(host.value, probe.port, timeoutMs);
      if (connected.ok) return { kind: 'tcp', succeeded: connected.value };
      return connected.error.code === 'timedOut' ? { kind: 'timedOut' } : failed(connected.error.message);
    }
    const path = probe.path.startsWith('/') || probe.path === '' ? probe.path : `/${probe.path}`;
    const authority = `${host.value.includes(':') ? `[${host.value}]` : host.value}:${probe.port}`;
    const status = await outbound.statusOf(`${probe.scheme}://${authority}${path}`, timeoutMs);
    if (status.ok) return { kind: 'http', statusCode: status.value };
    return status.error.code === 'timedOut' ? { kind: 'timedOut' } : failed(status.error.message);
  };
}
