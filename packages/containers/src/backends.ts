// The backends of an agent: the launcher with the isolators of `--isolation`, and the Docker engine if `--containerizers` names
// it.
import { type ContainerId, createTiming, err, type Outbound, ok, type Result, type Timing } from '@meseta/base';
import { type Backend, type Backends, composeBackends } from './composing.js';
import type { Containerizer, ContainerizerOptions } from './containerizer.js';
import { type Gpus, openGpus } from './gpus/gpus.js';
import { findHostFacts } from './host-facts.js';
import { type ImageOptions, type Images, openImages } from './images/images.js';
import { NEEDED_FOR_GPUS } from './isolators/gpu-nvidia.js';
import type { ContainerNetwork, HostFacts, Isolator, Usage } from './isolators/isolator.js';
import { createProcessCgroup } from './isolators/linux-launcher.js';
import { NEEDED_FOR_IMAGES, parseIsolation, selectIsolators } from './isolators/select.js';
import { findLinuxLauncher } from './launchers/choose.js';
import { createDockerBackend } from './launchers/docker/backend.js';
import type { Launcher, LauncherEvent } from './launchers/launcher.js';
import { createPosixLauncher } from './launchers/posix/posix.js';
import { createPendingOperations } from './pending.js';
import { isDockerPlan } from './plan/any-plan.js';
import type { PlanContext } from './plan/plan.js';
import { createPodContainers, type PodContainers } from './pods.js';
import { createProber, type ProbeOutbound } from './probes/probes.js';
import { createRecords } from './records.js';
import { createPreparation, type Preparation } from './sandbox/prepare.js';
import type { Removals } from './sandbox/removal.js';
import { openSeccompProfiles, type SeccompProfiles } from './seccomp/profiles.js';
import { createOwnerLookup } from './users.js';

export interface CreatedBackends
  extends Pick<Containerizer, 'capabilities' | 'dockerCapabilities' | 'warnings' | 'pendingOperations' | 'imagePulls'> {
  readonly backends: Backends;
  readonly host: HostFacts;
  readonly images: Images | undefined;
  readonly makeStreams: Preparation['makeStreams'];
}

interface Isolated extends PlanContext {
  readonly warnings: readonly string[];
  readonly images: Images | undefined;
}

/** Images need isolators that the operator chooses; as in Mesos, an agent that lacks them does not start. */
async function openImagesFor(
  options: ContainerizerOptions,
  images: ImageOptions,
  { linux }: HostFacts,
  pulls: Timing,
): Promise<Result<Images, string>> {
  const names = parseIsolation(options.isolation.names);
  const missing = NEEDED_FOR_IMAGES.find((name) => !(names.ok && names.value.includes(name)));
  if (missing !== undefined) return err(`--image_providers=docker: expected ${missing} in --isolation`);
  return linux.ok
    ? openImages(images, { ...options, onPulled: pulls.add })
    : err(`--image_providers=docker: ${linux.error}`);
}

/** As in Mesos, an agent that lacks the isolators which GPUs need, or a device of theirs, does not start. */
async function openGpusFor(
  { gpus, isolation, files, processes, runtimeDir }: ContainerizerOptions,
  { linux }: HostFacts,
): Promise<Result<Gpus | undefined, string>> {
  if (gpus === undefined) return ok(undefined);
  if (!linux.ok) return err(`--isolation=gpu/nvidia: ${linux.error}`);
  const names = parseIsolation(isolation.names);
  const missing = NEEDED_FOR_GPUS.find((either) => !either.some((name) => names.ok && names.value.includes(name)));
  if (missing !== undefined) return err(`--isolation=gpu/nvidia: expected ${missing.join(' or ')} in --isolation`);
  const opened = await openGpus(gpus, `${runtimeDir}/isolators/gpu`, files, processes);
  return opened.ok ? opened : err(`--isolation=gpu/nvidia: ${opened.error}`);
}

/** As in Mesos, an agent whose operator chose profiles that it can't use does not start. Without the launcher: why not. */
async function openSeccompFor(
  { seccomp, files }: ContainerizerOptions,
  { linux }: HostFacts,
): Promise<Result<Result<SeccompProfiles, string>, string>> {
  if (seccomp === undefined || !linux.ok) return ok(linux.ok ? err('it was not chosen') : linux);
  const profiles = await openSeccompProfiles(seccomp, files);
  return profiles.ok ? ok(profiles) : err(`--isolation=linux/seccomp: ${profiles.error}`);
}

/** The launcher's part of each plan, and the isolators of this machine. */
async function prepareIsolation(
  options: ContainerizerOptions,
  processesOf: Launcher['processes'],
  pulls: Timing,
): Promise<Result<Isolated, string>> {
  const { files, processes, clock, isolation, launcher, runtimeDir, warn } = options;
  const facts = await findHostFacts(files, processes);
  const cgroups = await findLinuxLauncher(options, launcher.name, isolation.cgroups, facts.capabilities);
  const reason = cgroups.ok ? '' : cgroups.error;
  const host: HostFacts = { ...facts, linux: cgroups.ok ? ok(undefined) : err(reason) };
  const images =
    options.images === undefined ? ok(undefined) : await openImagesFor(options, options.images, host, pulls);
  if (!images.ok) return images;
  const seccomp = await openSeccompFor(options, host);
  if (!seccomp.ok) return seccomp;
  const gpus = await openGpusFor(options, host);
  if (!gpus.ok) return gpus;
  const selected = selectIsolators(
    {
      files,
      clock,
      processes,
      processesOf,
      runtimeDir,
      warn,
      images: images.value,
      ...isolation,
      seccomp: seccomp.value,
      gpus: gpus.value,
      launcher: cgroups.ok ? 'linux' : 'posix',
    },
    host,
  );
  if (!selected.ok) return selected;
  if (gpus.value !== undefined && !selected.value.isolators.some(({ name }) => name === 'cgroups/devices')) {
    return err(`--isolation=gpu/nvidia: GPUs can't be limited: ${selected.value.warnings.join('; ')}`);
  }
  const { destroyTimeoutMs } = launcher;
  const first = cgroups.ok ? [createProcessCgroup({ cgroups: cgroups.value, destroyTimeoutMs, warn })] : [];
  const fallback =
    cgroups.ok || launcher.name !== 'linux'
      ? []
      : [`--launcher=linux: ${reason}; using posix: containers are sessions of processes`];
  return ok({
    isolators: [...first, ...selected.value.isolators],
    capabilities: selected.value.capabilities,
    host,
    warnings: [...fallback, ...selected.value.warnings],
    images: images.value,
  });
}

/** The backends on this machine, or what the machine lacks. */
export async function createBackends(
  options: ContainerizerOptions,
  removals: Removals,
  onEvent: (event: LauncherEvent) => void,
): Promise<Result<CreatedBackends, string>> {
  const { files, processes, runtimeDir } = options;
  const podsDir = `${runtimeDir}/pods`;
  const made = await files.makeDirectory(podsDir, 0o700);
  if (!made.ok) return err(`runtime directory: ${made.error.message}`);
  let running: Launcher | undefined;
  let pods: PodContainers | undefined;
  const pulls = { mesos: createTiming(), docker: createTiming() };
  const processesOf: Launcher['processes'] = async (containerId) => running?.processes(containerId) ?? [];
  const context = await prepareIsolation(options, processesOf, pulls.mesos);
  if (!context.ok) return context;
  const { capabilities, warnings, host, images } = context.value;
  const resolveOwner = createOwnerLookup(processes);
  const launcher = await createPosixLauncher({
    ...options,
    onEvent(event) {
      if (pods?.handle(event) !== true) onEvent(event);
    },
  });
  if (!launcher.ok) return err(`containers: ${launcher.error}`);
  running = launcher.value;
  const ofPods = context.value.isolators.filter(({ isForPods }) => isForPods === true);
  const preparePods = { files, removals, resolveOwner, context: { ...context.value, isolators: ofPods } };
  pods = createPodContainers({
    launcher: launcher.value,
    prepare: createPreparation(preparePods).prepare,
    isolators: ofPods,
    records: createRecords(files, podsDir),
  });
  const pending = createPendingOperations();
  const isolators = [pods.isolator, ...context.value.isolators].map(pending.track);
  const preparation = createPreparation({ files, removals, resolveOwner, context: { ...context.value, isolators } });
  const { makeStreams } = preparation;
  const ports = { ...options, removals, resolveOwner, makeStreams, onEvent, onPulled: pulls.docker.add };
  const docker = options.docker && (await createDockerBackend(options.docker, ports));
  if (docker?.ok === false) return docker;
  const outboundOf = (containerId: ContainerId): ProbeOutbound => outboundTo(isolators, options.outbound, containerId);
  const prober = createProber({ ...options, launcher: launcher.value, outboundOf }, resolveOwner);
  const mesos = createMesosBackend({ launcher: launcher.value, isolators, pods, prepare: preparation.prepare, prober });
  const all: readonly [Backend, ...Backend[]] = docker === undefined ? [mesos] : [mesos, docker.value.backend];
  return ok({
    backends: composeBackends(all, options.containerizers ?? ['mesos']),
    capabilities,
    dockerCapabilities: docker && { ...capabilities, ...DOCKER_CAPABILITIES },
    warnings: [...warnings, ...(docker?.value.warnings ?? [])],
    host,
    images,
    makeStreams,
    pendingOperations: pending.list,
    imagePulls: { mesos: pulls.mesos.values, docker: pulls.docker.values },
  });
}

/** The Docker engine has its own limits. */
const DOCKER_CAPABILITIES = {
  cpusLimits: ok(undefined),
  memLimits: ok(undefined),
  rlimits: ok(undefined),
  sandboxPathVolumes: ok(undefined),
};

function networkOf(isolators: readonly Isolator[], containerId: ContainerId): ContainerNetwork | undefined {
  for (const isolator of isolators) {
    const network = isolator.networkOf?.(containerId);
    if (network !== undefined) return network;
  }
  return undefined;
}

/** Connections to a container's ports are made in its network namespace. */
function outboundTo(isolators: readonly Isolator[], outbound: Outbound, containerId: ContainerId): ProbeOutbound {
  const network = networkOf(isolators, containerId);
  if (network === undefined) return outbound;
  return isolators.map((it) => it.outboundFrom?.(network.namespace)).find((it) => it !== undefined) ?? outbound;
}

interface MesosParts {
  readonly launcher: Launcher;
  readonly isolators: readonly Isolator[];
  readonly pods: PodContainers;
  readonly prepare: Preparation['prepare'];
  readonly prober: Backend['probe'];
}

/** The launcher with the isolators of `--isolation`. */
function createMesosBackend({ launcher, isolators, pods, prepare, prober }: MesosParts): Backend {
  return {
    name: 'mesos',
    prepare,
    launch(containerId, plan) {
      if (!isDockerPlan(plan)) launcher.launch(containerId, plan);
    },
    send: launcher.send,
    signal: launcher.signal,
    destroy: launcher.destroy,
    remove: launcher.remove,
    watch(record, onLimitation) {
      for (const isolator of isolators) isolator.watch?.(record, onLimitation);
    },
    update(record) {
      for (const isolator of isolators) void isolator.update?.(record);
    },
    async usage(containerId, isRunning) {
      const used: Usage = {};
      if (!isRunning) {
        const shared = isolators.flatMap((isolator) => isolator.sharedUsage?.(containerId) ?? []);
        for (const each of shared) Object.assign(used, each);
        return shared.length === 0 ? undefined : used;
      }
      const processes = await launcher.processes(containerId);
      for (const { usage } of isolators) Object.assign(used, await usage?.(containerId, processes));
      return used;
    },
    async cleanUp(containerId) {
      for (const isolator of isolators) await isolator.cleanUp?.(containerId);
    },
    networksOf: (containerId) => networkOf(isolators, containerId)?.infos,
    probe: prober,
    findLimitation(record) {
      for (const isolator of isolators) {
        const found = isolator.findLimitation?.(record);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    recover: async () => pods.claim(await launcher.recover()),
    async removeLeftovers(alive) {
      const withPods = [...alive, ...pods.addRecovered(alive)];
      for (const isolator of isolators) await isolator.recover?.(isolator.isForPods === true ? withPods : alive);
      await pods.removeLeftovers();
    },
    async close() {
      for (const isolator of isolators) isolator.close?.();
      await launcher.close();
    },
  };
}
