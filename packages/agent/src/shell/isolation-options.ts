// What the flags say about the isolation of containers, as the containerizer takes it.
import { resolve } from 'node:path';
import { type DevicePrograms, err, type NvidiaDriver, ok, type Result } from '@meseta/base';
import { readCgroupLayout } from '@meseta/containers/cgroups/host';
import type { ContainerizerOptions } from '@meseta/containers/containerizer';
import type { CniOptions } from '@meseta/containers/isolators/network-cni';
import { type PortOptions, watchedPortsOf } from '@meseta/containers/isolators/network-ports';
import type { SeccompOptions } from '@meseta/containers/seccomp/profiles';
import { createFiles } from '@meseta/platform/files';
import type { Resource } from '@meseta/wire';
import type { AgentFlags } from './flags.js';

/** As in Mesos. */
const CNI_DIRECTORY = 'isolators/network/cni';
const CNI_PLUGIN_TIMEOUT_MS = 60_000;

/** The options of the isolator network/ports. */
function portOptionsOf(flags: AgentFlags, resources: readonly Resource[]): Result<PortOptions, string> {
  const own = resources.flatMap(({ name, ranges }) => (name === 'ports' ? (ranges?.range ?? []) : []));
  const watched = watchedPortsOf(own, flags.check_agent_port_range_only, flags.container_ports_isolated_range);
  if (!watched.ok) return watched;
  const watchIntervalMs = flags.container_ports_watch_interval;
  return ok({ watchIntervalMs, enforce: flags.enforce_container_ports, watched: watched.value });
}

/** The options of the isolator network/cni. Only an agent that has it loads the calls that it needs. */
async function networkOptionsOf(flags: AgentFlags): Promise<CniOptions> {
  const { network_cni_config_dir: configDir, network_cni_plugins_dir: pluginsDir } = flags;
  const isChosen = flags.isolation.includes('network/cni') && process.platform === 'linux';
  const loaded = isChosen ? await import('@meseta/platform/network-namespaces') : undefined;
  return {
    configDir: configDir === undefined ? undefined : resolve(configDir),
    pluginsDir: pluginsDir
      ?.split(':')
      .map((directory) => resolve(directory))
      .join(':'),
    rootDir: resolve(flags.network_cni_root_dir_persist ? flags.work_dir : flags.runtime_dir, CNI_DIRECTORY),
    pluginTimeoutMs: CNI_PLUGIN_TIMEOUT_MS,
    defaultDns: flags.default_container_dns?.mesos ?? [],
    namespaces: loaded?.createNetworkNamespaces(),
  };
}

/** Only an agent that limits devices by version 2 of cgroups loads the call that it needs. */
async function devicePrograms(flags: AgentFlags): Promise<Result<DevicePrograms, string>> {
  const isChosen = /\bcgroups\/(?:devices|all)\b/.test(flags.isolation) && process.platform === 'linux';
  const isVersion1 = readCgroupLayout(createFiles(), flags.cgroups_hierarchy).controllers.has('devices');
  if (!isChosen || isVersion1) return err('they are not needed');
  const { createDevicePrograms } = await import('@meseta/platform/device-programs');
  return createDevicePrograms();
}

/** Only an agent with GPUs loads NVIDIA's library. */
export async function loadNvidiaDriver(): Promise<Result<NvidiaDriver, string>> {
  const { createNvidiaDriver } = await import('@meseta/platform/nvidia');
  return createNvidiaDriver();
}

/** The options of the isolator linux/seccomp. Only an agent that has it loads libseccomp. */
export async function seccompOptionsOf(flags: AgentFlags): Promise<SeccompOptions | undefined> {
  const { seccomp_config_dir: configDir, seccomp_profile_name: profileName } = flags;
  if (!flags.isolation.includes('linux/seccomp') || process.platform !== 'linux') return undefined;
  const { createSeccompCompiler } = await import('@meseta/platform/seccomp');
  return {
    configDir: configDir === undefined ? undefined : resolve(configDir),
    profileName,
    compiler: createSeccompCompiler(),
  };
}

export async function isolationOptionsOf(
  flags: AgentFlags,
  resources: readonly Resource[],
): Promise<Result<ContainerizerOptions['isolation'], string>> {
  const ports = portOptionsOf(flags, resources);
  if (!ports.ok) return ports;
  return ok({
    names: flags.isolation,
    diskWatchIntervalMs: flags.container_disk_watch_interval,
    enforceDiskQuota: flags.enforce_container_disk_quota,
    cgroups: {
      hierarchy: flags.cgroups_hierarchy,
      root: flags.cgroups_root,
      enableCfs: flags.cgroups_enable_cfs,
      limitSwap: flags.cgroups_limit_swap,
      countProcesses: flags.cgroups_cpu_enable_pids_and_tids_count,
      lowPriorityOfRevocableCpus: flags.revocable_cpu_low_priority,
      pidsLimit: flags.cgroups_pids_limit,
      allowedDevices: flags.allowed_devices,
      devicePrograms: await devicePrograms(flags),
    },
    capabilities: { effective: flags.effective_capabilities, bounding: flags.bounding_capabilities },
    pid: { mayNotShareAgents: flags.disallow_sharing_agent_pid_namespace },
    ipc: {
      mayNotShareAgents: flags.disallow_sharing_agent_ipc_namespace,
      defaultShmBytes: flags.default_container_shm_size,
    },
    ports: ports.value,
    cni: await networkOptionsOf(flags),
  });
}
