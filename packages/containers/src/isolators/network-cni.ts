// network/cni: a container has a network namespace of its own, with an interface in each network that it names. Plugins of
// the Container Network Interface attach it (Mesos: docs/cni.md).
//
// Owns: which containers have which networks, in this process.
// Boundary: networks/container-networks.ts has them on disk and on the machine.
// NETWORK-CNI-1: a container that can't be attached to each network that it names is not started.
// NETWORK-CNI-2: a nested container that names no networks has those of its parent; a task of a pod, those of the pod.
// NETWORK-CNI-3: a container can take only those ports of the machine that are among its resources.
import {
  type ContainerId,
  err,
  type Files,
  type LinuxMount,
  type NetworkNamespaces,
  ok,
  type Processes,
  type Result,
} from '@meseta/base';
import type { ContainerDNSInfoMesosInfo, NetworkInfo } from '@meseta/wire';
import { createConcurrencyLimit } from '../concurrency.js';
import { createNetworkCatalog } from '../networks/catalog.js';
import {
  type AttachmentPorts,
  directoryOf,
  joinNetwork,
  listContainers,
  MAX_NETWORKS,
  makeNetwork,
  readNetwork,
  removeNetwork,
} from '../networks/container-networks.js';
import { defaultDnsFor } from '../networks/default-dns.js';
import type { ContainerSpec } from '../types.js';
import type { ContainerNetwork, Isolator, PlanPatch } from './isolator.js';

export interface CniOptions {
  /** `--network_cni_config_dir` */
  readonly configDir: string | undefined;
  /** `--network_cni_plugins_dir` */
  readonly pluginsDir: string | undefined;
  /** Absolute; only the agent's user can change it. */
  readonly rootDir: string;
  readonly pluginTimeoutMs: number;
  /** `--default_container_dns` */
  readonly defaultDns: readonly ContainerDNSInfoMesosInfo[];
  /** undefined: this process can't make them. */
  readonly namespaces: NetworkNamespaces | undefined;
}

interface Ports {
  readonly files: Files;
  readonly processes: Pick<Processes, 'run'>;
  readonly warn: (message: string) => void;
}

const DIRECTORY_MODE = 0o700;
const MAX_PORT_MAPPINGS = 1000;
const MAX_PORT = 65_535;
/** Containers that plugins attach or detach at the same time. */
const MAX_CALLS = 16;
/** A label of a domain name, which is shorter than a name of the kernel may be. */
const MAX_HOSTNAME = 63;
const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/;

const namedNetworks = ({ container }: ContainerSpec): readonly NetworkInfo[] =>
  (container?.network_infos ?? []).filter(({ name }) => name !== undefined);

/** The field that can't be carried out, whatever networks there are. */
function findProblem(spec: ContainerSpec): string | undefined {
  const { container } = spec;
  const { network_infos: infos = [], hostname } = container ?? {};
  const named = namedNetworks(spec);
  if (named.length > MAX_NETWORKS) return `container.network_infos: expected at most ${MAX_NETWORKS} networks`;
  if (new Set(named.map(({ name }) => name)).size < named.length) {
    return 'container.network_infos: expected each network once';
  }
  if (hostname !== undefined) {
    if (named.length === 0) return 'container.hostname: only a container with a network of its own can have a name';
    if (hostname.length > MAX_HOSTNAME || !HOSTNAME.test(hostname)) {
      return `container.hostname: expected at most ${MAX_HOSTNAME} letters, digits and "-"`;
    }
  }
  for (const [index, info] of infos.entries()) {
    const problem = findPortProblem(spec, info);
    if (problem !== undefined) return `container.network_infos[${index}].port_mappings: ${problem}`;
  }
  return undefined;
}

/** NETWORK-CNI-3: another port may belong to another container, or to the agent itself. */
function findPortProblem({ resources }: ContainerSpec, { name, port_mappings = [] }: NetworkInfo): string | undefined {
  if (port_mappings.length === 0) return undefined;
  if (name === undefined) return "a container without a network of its own has the host's ports";
  if (port_mappings.length > MAX_PORT_MAPPINGS) return `expected at most ${MAX_PORT_MAPPINGS} mappings`;
  const ranges = resources.flatMap((it) => (it.name === 'ports' ? (it.ranges?.range ?? []) : []));
  for (const { host_port, container_port, protocol = 'tcp' } of port_mappings) {
    if (!(container_port >= 1 && container_port <= MAX_PORT)) {
      return `container_port: expected 1 to ${MAX_PORT}, got ${container_port}`;
    }
    if (!ranges.some(({ begin, end }) => begin <= host_port && host_port <= end) || host_port > MAX_PORT) {
      return `host_port: expected a port among the resources of the task, got ${host_port}`;
    }
    if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) return 'protocol: expected tcp, udp or sctp';
  }
  return undefined;
}

/** The files of /etc. On the machine's root file system, those that it has are replaced, where their links lead. */
async function nameMounts(
  files: Files,
  directory: string,
  { container }: ContainerSpec,
): Promise<readonly LinuxMount[]> {
  const hasOwnRoot = container?.mesos?.image !== undefined;
  const mounts: LinuxMount[] = [];
  for (const name of ['hostname', 'hosts', 'resolv.conf']) {
    const real = hasOwnRoot ? ok(`/etc/${name}`) : await files.realPath(`/etc/${name}`);
    const source = { root: `${directory}/${name}`, names: [] };
    if (real.ok) mounts.push({ kind: 'bind', source, target: real.value, isReadOnly: true });
  }
  return mounts;
}

const hostnameOf = ({ containerId, container }: ContainerSpec): string =>
  container?.hostname ?? containerId.replace(/[^A-Za-z0-9-]/g, '-').slice(0, MAX_HOSTNAME);

const ADDRESS = 'MESOS_CONTAINER_IP';

/** The executor of a pod tells its tasks their address, which only plugins know. */
function addressOfPod({ outer, command }: ContainerSpec, { infos }: ContainerNetwork): Pick<PlanPatch, 'variables'> {
  const address = infos.flatMap(({ ip_addresses = [] }) => ip_addresses)[0]?.ip_address;
  const isTasks = (command.environment?.variables ?? []).some(({ name }) => name === ADDRESS);
  return outer?.pod === undefined || address === undefined || isTasks ? {} : { variables: { [ADDRESS]: address } };
}

type Attachments = ReturnType<typeof createAttachments>;

/** Attaches containers to networks, and remembers their networks. */
function createAttachments(ports: AttachmentPorts, options: CniOptions & Ports) {
  const { files, warn } = options;
  const findAttachments = createNetworkCatalog(files, options.configDir ?? '', warn);
  const limitCalls = createConcurrencyLimit(MAX_CALLS);
  const networkOf = new Map<ContainerId, ContainerNetwork>();

  async function patchFor(spec: ContainerSpec, network: ContainerNetwork): Promise<PlanPatch> {
    const { namespace, hostname, owner } = network;
    const mounts = await nameMounts(files, directoryOf(ports, owner), spec);
    return { linux: { namespaces: ['mount', 'uts'], network: namespace, hostname, mounts } };
  }

  async function remove(containerId: ContainerId): Promise<void> {
    networkOf.delete(containerId);
    const problems = await limitCalls(() => removeNetwork(ports, containerId));
    for (const problem of problems) warn(`container ${containerId}: ${problem}`);
  }

  return {
    networkOf,
    remove,
    async make(spec: ContainerSpec, signal: Parameters<typeof makeNetwork>[3]): Promise<Result<PlanPatch, string>> {
      const { containerId } = spec;
      const attachments = await findAttachments(spec.container?.network_infos ?? []);
      if (!attachments.ok) return attachments;
      // What an interrupted launch of this container has left.
      await remove(containerId);
      const names = attachments.value.map(({ network }) => network.name);
      const defaultDns = defaultDnsFor(options.defaultDns, 'CNI', names)?.dns;
      const named = { containerId, hostname: hostnameOf(spec), defaultDns };
      const network = await limitCalls(() => makeNetwork(ports, named, attachments.value, signal));
      if (!network.ok) return network;
      networkOf.set(containerId, network.value);
      return ok(await patchFor(spec, network.value));
    },
    /** NETWORK-CNI-2. A session is in the namespaces of its parent anyway. */
    async join(spec: ContainerSpec, outer: ContainerId): Promise<Result<PlanPatch, string>> {
      const network = networkOf.get(outer);
      if (network === undefined) return ok({});
      const joined = await joinNetwork(ports, spec.containerId, network);
      if (!joined.ok) return joined;
      networkOf.set(spec.containerId, network);
      return ok(spec.isSession === true ? {} : { ...(await patchFor(spec, network)), ...addressOfPod(spec, network) });
    },
    async recover(alive: ReadonlySet<ContainerId>): Promise<void> {
      const made = await files.makeDirectory(ports.rootDir, DIRECTORY_MODE);
      if (!made.ok) return warn(`network/cni: ${made.error.message}`);
      const listed = await listContainers(ports);
      for (const containerId of listed) {
        const network = alive.has(containerId) ? await readNetwork(ports, containerId) : undefined;
        if (network !== undefined) networkOf.set(containerId, network);
      }
      await Promise.all(listed.filter((it) => !alive.has(it)).map(remove));
    },
  };
}

export function createNetworkCni(options: CniOptions & Ports): Isolator {
  const { files, processes, rootDir, configDir, pluginsDir, namespaces } = options;
  const plugins = { files, processes, pluginsDir: pluginsDir ?? '', timeoutMs: options.pluginTimeoutMs };
  const attachments: Attachments | undefined =
    namespaces && createAttachments({ files, plugins, namespaces, rootDir }, options);
  return {
    name: 'network/cni',
    isForPods: true,
    provides: 'networks',
    supports({ linux }) {
      if (!linux.ok) return linux;
      if (configDir === undefined) return err('it needs --network_cni_config_dir');
      if (pluginsDir === undefined) return err('it needs --network_cni_plugins_dir');
      return attachments === undefined ? err('this agent can make no network namespaces') : ok(undefined);
    },
    plan(spec) {
      const problem = findProblem(spec);
      return problem === undefined ? ok({}) : err(problem);
    },
    async prepare(spec, { signal }): Promise<Result<PlanPatch, string>> {
      if (attachments === undefined) return ok({});
      if (namedNetworks(spec).length > 0) return attachments.make(spec, signal);
      return spec.outer === undefined ? ok({}) : attachments.join(spec, spec.outer.containerId);
    },
    networkOf: (containerId) => attachments?.networkOf.get(containerId),
    outboundFrom: (namespace) => namespaces?.outboundFrom(namespace),
    recover: async (alive) => attachments?.recover(new Set(alive.map(({ containerId }) => containerId))),
    cleanUp: async (containerId) => attachments?.remove(containerId),
  };
}
