// Chooses the isolators of an agent by `--isolation`: those that it names, and those that every container has, because a
// task asks for them in fields of its own (as Mesos adds filesystem/posix and others to the list).
import { type Clock, err, type Files, ok, type Processes, type Result } from '@meseta/base';
import { readCgroupLayout } from '../cgroups/host.js';
import type { Gpus } from '../gpus/gpus.js';
import type { Images } from '../images/images.js';
import type { SeccompProfiles } from '../seccomp/profiles.js';
import type { Capabilities, Capability } from '../types.js';
import { createCgroupsBlkio } from './cgroups-blkio.js';
import { createCgroupsCpu } from './cgroups-cpu.js';
import { createCgroupsDevices } from './cgroups-devices.js';
import type { CgroupsOptions, CgroupsPorts } from './cgroups-isolator.js';
import { createCgroupsMem } from './cgroups-mem.js';
import { createCgroupsMembership, MEMBERSHIPS } from './cgroups-membership.js';
import { createCgroupsPids } from './cgroups-pids.js';
import { createDiskDu } from './disk-du.js';
import { createDockerRuntime } from './docker-runtime.js';
import { filesystemLinux } from './filesystem-linux.js';
import { filesystemPosix } from './filesystem-posix.js';
import { createGpuNvidia } from './gpu-nvidia.js';
import type { HostFacts, Isolator } from './isolator.js';
import { type CapabilityOptions, createLinuxCapabilities } from './linux-capabilities.js';
import { linuxNnp } from './linux-nnp.js';
import { createLinuxSeccomp } from './linux-seccomp.js';
import { createNamespacesIpc, type IpcOptions } from './namespaces-ipc.js';
import { createNamespacesPid, type PidOptions } from './namespaces-pid.js';
import { type CniOptions, createNetworkCni } from './network-cni.js';
import { createNetworkPorts, type NetworkPortsOptions, type PortOptions } from './network-ports.js';
import { posixCpu } from './posix-cpu.js';
import { posixMem } from './posix-mem.js';
import { posixRlimits } from './posix-rlimits.js';
import { volumeHostPath } from './volume-host-path.js';
import { createVolumeImage } from './volume-image.js';
import { createVolumeSandboxPath } from './volume-sandbox-path.js';
import { createVolumeSecret } from './volume-secret.js';

export interface IsolationOptions {
  /** `--isolation`: names, separated by commas. */
  readonly names: string;
  /** `--container_disk_watch_interval` */
  readonly diskWatchIntervalMs: number;
  /** `--enforce_container_disk_quota` */
  readonly enforceDiskQuota: boolean;
  /** `--launcher`: containers have cgroups with `linux` only. */
  readonly launcher: 'posix' | 'linux';
  readonly cgroups: CgroupsOptions;
  readonly capabilities: CapabilityOptions;
  readonly pid: PidOptions;
  readonly ipc: IpcOptions;
  readonly ports: PortOptions;
  readonly cni: CniOptions;
  /** undefined: no image provider. */
  readonly images: Images | undefined;
  /** undefined: `--isolation` does not name gpu/nvidia, or containers have no cgroups. */
  readonly gpus: Gpus | undefined;
  /** Or why containers have no profiles. */
  readonly seccomp: Result<SeccompProfiles, string>;
}

export interface Isolation {
  readonly isolators: readonly Isolator[];
  readonly capabilities: Capabilities;
  /** The isolators of `--isolation` that this machine can't provide, with the reasons. */
  readonly warnings: readonly string[];
}

interface Ports {
  readonly files: Files;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly processes: Pick<Processes, 'self' | 'run'>;
  /** Absolute; only the agent's user can enter it. */
  readonly runtimeDir: string;
  readonly processesOf: NetworkPortsOptions['processesOf'];
  /** For the log of the agent. */
  readonly warn: (message: string) => void;
}

interface SelectionPorts extends Ports, IsolationOptions {
  readonly cgroupPorts: CgroupsPorts;
}

/** The names of the isolators that every container has. */
const ALWAYS = ['filesystem/posix', 'volume/sandbox_path', 'posix/rlimits'];

const CGROUP_ISOLATORS: ReadonlyMap<string, (ports: CgroupsPorts) => Isolator> = new Map([
  ['cgroups/blkio', createCgroupsBlkio],
  ['cgroups/cpu', createCgroupsCpu],
  ['cgroups/mem', createCgroupsMem],
  ['cgroups/pids', createCgroupsPids],
  ...MEMBERSHIPS.map((name) => [name, (ports: CgroupsPorts) => createCgroupsMembership(ports, name)] as const),
]);

/** All of `CGROUP_ISOLATORS` whose controllers this machine has. */
const ALL_CGROUPS = 'cgroups/all';

/** The isolators that every container has. filesystem/linux takes the place of filesystem/posix: volumes are mounts, not links. */
const isolatorsOfAll = (hasMounts: boolean): readonly Isolator[] => [
  hasMounts ? filesystemLinux : filesystemPosix,
  createVolumeSandboxPath(hasMounts),
  posixRlimits,
];

const withoutImages = (name: string, provides: Capability): Isolator => ({
  name,
  provides,
  supports: () => err(NO_IMAGES),
});

/** What `--image_providers=docker` needs, as in Mesos. */
export const NEEDED_FOR_IMAGES: readonly string[] = ['filesystem/linux', 'docker/runtime'];

const OPTIONAL: ReadonlyMap<string, (options: SelectionPorts) => Isolator> = new Map<
  string,
  (options: SelectionPorts) => Isolator
>([
  ['posix/cpu', () => posixCpu],
  ['posix/mem', () => posixMem],
  ['disk/du', createDiskDu],
  ['cgroups/devices', ({ cgroupPorts, gpus }) => createCgroupsDevices({ ...cgroupPorts, gpus })],
  ['gpu/nvidia', ({ gpus }) => createGpuNvidia(gpus)],
  ...[...CGROUP_ISOLATORS].map(
    ([name, create]) => [name, ({ cgroupPorts }: SelectionPorts) => create(cgroupPorts)] as const,
  ),
  ['filesystem/linux', () => filesystemLinux],
  ['volume/host_path', () => volumeHostPath],
  ['volume/secret', createVolumeSecret],
  ['namespaces/pid', ({ pid }) => createNamespacesPid(pid)],
  ['namespaces/ipc', ({ ipc }) => createNamespacesIpc(ipc)],
  ['linux/capabilities', ({ capabilities }) => createLinuxCapabilities(capabilities)],
  ['linux/nnp', () => linuxNnp],
  [
    'linux/seccomp',
    ({ seccomp, names, capabilities }) =>
      createLinuxSeccomp(seccomp, names.includes('linux/capabilities') ? capabilities : undefined),
  ],
  ['network/cni', ({ cni, ...ports }) => createNetworkCni({ ...ports, ...cni })],
  ['network/ports', ({ ports, ...options }) => createNetworkPorts({ ...options, ...ports })],
  [
    'docker/runtime',
    ({ images, gpus }) =>
      images === undefined ? withoutImages('docker/runtime', 'images') : createDockerRuntime(images, gpus),
  ],
  [
    'volume/image',
    ({ images }) => (images === undefined ? withoutImages('volume/image', 'imageVolumes') : createVolumeImage(images)),
  ],
]);

/** Names of Mesos for several isolators, and older names. */
const ALIASES: ReadonlyMap<string, readonly string[]> = new Map([
  ['process', ['posix/cpu', 'posix/mem']],
  ['cgroups', ['cgroups/cpu', 'cgroups/mem']],
  ['posix/disk', ['disk/du']],
]);

const NO_APPC = 'images of appc are not supported';
const NO_IMAGES = 'this agent has no image provider (--image_providers=docker)';

/** Isolators of Mesos that this agent doesn't have. */
const MISSING: ReadonlyMap<string, string> = new Map([
  ['appc/runtime', NO_APPC],
  ['disk/xfs', 'this agent sets no project quotas; disk/du measures and limits'],
  ['docker/volume', 'this agent has no Docker volume drivers'],
  ['filesystem/shared', 'this agent has filesystem/linux'],
  ['linux/devices', 'this agent adds no devices to containers'],
  ['network/port_mapping', 'this agent has network/cni'],
  ['volume/csi', 'this agent has no CSI plugins'],
]);

/** The agent resolves secrets by value in environments itself. */
const BUILT_IN: readonly string[] = [...ALWAYS, 'environment_secret'];

/** The names in `--isolation`, each once, or which of them is no isolator. */
export function parseIsolation(text: string): Result<readonly string[], string> {
  const given = text.split(',').map((name) => name.trim());
  const names = new Set(given.flatMap((name) => ALIASES.get(name) ?? [name]));
  for (const name of names) {
    if (OPTIONAL.has(name) || MISSING.has(name) || BUILT_IN.includes(name) || name === ALL_CGROUPS) continue;
    const known = [...OPTIONAL.keys(), ALL_CGROUPS, ...BUILT_IN].join(', ');
    return err(`expected a list of isolators (this agent has ${known}), got ${JSON.stringify(name)}`);
  }
  return ok([...names]);
}

const ABSENT: { readonly [Name in Capability]: string } = {
  cpusLimits: 'limits of cpus need the isolator cgroups/cpu',
  memLimits: 'limits of mem need the isolator cgroups/mem',
  rlimits: 'needs the isolator posix/rlimits',
  sandboxPathVolumes: 'needs the isolator volume/sandbox_path',
  hostPathVolumes: 'needs the isolator volume/host_path',
  secretVolumes: 'needs the isolator volume/secret',
  mounts: 'needs the isolator filesystem/linux',
  capabilities: 'needs the isolator linux/capabilities',
  seccomp: 'needs the isolator linux/seccomp',
  ipcNamespaces: 'needs the isolator namespaces/ipc',
  networks: 'needs the isolator network/cni',
  images: NO_IMAGES,
  imageVolumes: 'needs the isolator volume/image and an image provider',
};

/** The isolators of this machine, in the order of their plans; or which name in the flag is unknown. */
export function selectIsolators(options: Ports & IsolationOptions, host: HostFacts): Result<Isolation, string> {
  const names = parseIsolation(options.names);
  if (!names.ok) return names;
  const warnings: string[] = [];
  const isolators: Isolator[] = [];
  const reasons: { [Name in Capability]: string } = { ...ABSENT };
  const provided = new Set<Capability>();
  const ports: SelectionPorts = { ...options, cgroupPorts: cgroupsPorts(options) };
  const namesOfAll = names.value.includes(ALL_CGROUPS) ? [...CGROUP_ISOLATORS.keys(), 'cgroups/devices'] : [];
  const all = [...new Set([...names.value, ...namesOfAll])];
  const hasMounts = names.value.includes(filesystemLinux.name) && host.linux.ok;
  const optional = all.flatMap((name) => OPTIONAL.get(name)?.(ports) ?? []);
  const wanted = new Set([...isolatorsOfAll(hasMounts), ...optional]);
  for (const isolator of wanted) {
    const supported = isolator.supports(host);
    if (supported.ok) isolators.push(isolator);
    else if (names.value.includes(isolator.name)) warnings.push(warningOf(isolator.name, supported.error));
    if (isolator.provides === undefined) continue;
    if (supported.ok) provided.add(isolator.provides);
    else reasons[isolator.provides] = supported.error;
  }
  for (const name of names.value) {
    const reason = MISSING.get(name);
    if (reason !== undefined) warnings.push(warningOf(name, reason));
  }
  const resultOf = (name: Capability): Result<void, string> =>
    provided.has(name) ? ok(undefined) : err(reasons[name]);
  const capabilities: Capabilities = {
    cpusLimits: resultOf('cpusLimits'),
    memLimits: resultOf('memLimits'),
    rlimits: resultOf('rlimits'),
    sandboxPathVolumes: resultOf('sandboxPathVolumes'),
    hostPathVolumes: resultOf('hostPathVolumes'),
    secretVolumes: resultOf('secretVolumes'),
    mounts: resultOf('mounts'),
    capabilities: resultOf('capabilities'),
    seccomp: resultOf('seccomp'),
    ipcNamespaces: resultOf('ipcNamespaces'),
    networks: resultOf('networks'),
    images: resultOf('images'),
    imageVolumes: resultOf('imageVolumes'),
  };
  return ok({ isolators, capabilities, warnings });
}

function cgroupsPorts({ files, clock, processes, cgroups, launcher, warn }: Ports & IsolationOptions): CgroupsPorts {
  const layout = readCgroupLayout(files, cgroups.hierarchy);
  const isRoot = processes.self.uid === 0;
  const obstacle =
    launcher !== 'linux' ? 'it needs --launcher=linux' : isRoot ? undefined : 'it needs an agent that runs as root';
  return { ...cgroups, files, clock, layout, obstacle, warn };
}

const warningOf = (name: string, reason: string): string => `--isolation: ${name} has no effect: ${reason}`;
