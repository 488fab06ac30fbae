// The plan of a container of type DOCKER: the engine's request that creates it, from the specification. Pure. It is what the
// `docker run` of Mesos' executor asks for (docs/docker-containerizer.md).
//
// DOCKER-PLAN-1: a field that isn't provided fails the launch with its name; none is dropped silently.
// DOCKER-PLAN-2: `port_mappings` give a container a host's port only if it is among the ports of its resources. The parameters
//   `publish` and `publish-all` are not checked, as in Mesos.
// DOCKER-PLAN-3: no parameter changes the name and the label by which the agent finds its containers again.
import { checkPathBelow, err, ok, overLimit, pathComponents, type Result, utf8Length } from '@meseta/base';
import type {
  ContainerDNSInfoDockerInfo,
  ContainerInfo,
  ContainerInfoDockerInfo,
  NetworkInfo,
  Parameter,
  RLimitInfo,
  Volume,
} from '@meseta/wire';
import { defaultDnsFor } from '../../networks/default-dns.js';
import type { LaunchOwner } from '../../plan/plan.js';
import type { ContainerSpec, DirectoryBelow } from '../../types.js';
import { type ImageName, imageReference, parseImageName } from './image-names.js';
import { type LimitOptions, limitsOf } from './limits.js';
import { applyParameters } from './parameters.js';
import type { CreateRequest, HostConfig, Mount } from './request.js';

/** The prefix by which operators of Mesos recognize the containers of agents. */
export const NAME_PREFIX = 'mesos-';
/** The label whose value tells the agents of a machine apart. */
export const AGENT_LABEL = 'meseta.agent';

export interface DockerPlan {
  readonly kind: 'docker';
  /** The user that the sandbox belongs to. Its processes have the user of the image, or of the parameter `user`. */
  readonly owner: LaunchOwner | undefined;
  readonly sandbox: string;
  readonly image: ImageName;
  readonly forcePull: boolean;
  readonly request: CreateRequest;
  /** The task's NetworkInfo, which its statuses repeat. */
  readonly networkInfo: NetworkInfo | undefined;
  /** Directories below the sandbox that volumes name; made before the container. */
  readonly directories: DirectoryBelow[];
}

export interface DockerPlanOptions extends LimitOptions {
  /** `--default_container_dns` */
  readonly defaultDns: readonly ContainerDNSInfoDockerInfo[];
  /** `--sandbox_directory` */
  readonly sandboxDirectory: string;
  /** The value of the agent's label. */
  readonly agent: string;
}

type Problem = string | undefined;

/** The fields of a ContainerInfo; those that the functions below carry out have no problem. */
const PROBLEMS: { readonly [Field in keyof Required<ContainerInfo>]: (container: ContainerInfo) => Problem } = {
  type: () => undefined,
  volumes: () => undefined,
  docker: ({ docker }) => (docker === undefined ? 'is missing' : undefined),
  hostname: () => undefined,
  mesos: ({ mesos }) => (mesos === undefined ? undefined : 'expected in containers of type MESOS only'),
  network_infos: () => undefined,
  linux_info: ({ linux_info }) => (linux_info === undefined ? undefined : 'expected docker.parameters such as cap-add'),
  rlimit_info: () => undefined,
  tty_info: ({ tty_info }) => (tty_info === undefined ? undefined : 'this agent gives no container a terminal'),
};

function findUnsupported(container: ContainerInfo): Problem {
  for (const [field, problemOf] of Object.entries(PROBLEMS)) {
    const problem = problemOf(container);
    if (problem !== undefined) return `container.${field}: ${problem}`;
  }
  return undefined;
}

/** The network of `docker run --net`. */
function networkOf({ docker, network_infos: infos = [] }: ContainerInfo): Result<string, string> {
  switch (docker?.network ?? 'HOST') {
    case 'HOST':
      return ok('host');
    case 'BRIDGE':
      return ok('bridge');
    case 'NONE':
      return ok('none');
    case 'USER': {
      const [info] = infos;
      if (info === undefined)
        return err('container.network_infos: expected one with the name of the network, got none');
      if (infos.length > 1) return err(`container.network_infos: expected one network, got ${infos.length}`);
      return info.name ? ok(info.name) : err('container.network_infos[0].name: is missing');
    }
    default:
      return err(`container.docker.network: expected HOST, BRIDGE, NONE or USER, got ${docker?.network}`);
  }
}

const PROTOCOLS = ['tcp', 'udp', 'sctp'];
const MAX_PORT = 65_535;

/** DOCKER-PLAN-2. */
function addPorts(
  request: CreateRequest,
  { port_mappings = [] }: ContainerInfoDockerInfo,
  spec: ContainerSpec,
): Problem {
  if (port_mappings.length === 0) return undefined;
  const field = 'container.docker.port_mappings';
  const { NetworkMode, PortBindings } = request.HostConfig;
  if (NetworkMode === 'host' || NetworkMode === 'none') return `${field}: expected in networks BRIDGE and USER only`;
  const ranges = spec.resources.flatMap((it) => (it.name === 'ports' ? (it.ranges?.range ?? []) : []));
  for (const [index, { host_port, container_port, protocol = 'tcp' }] of port_mappings.entries()) {
    const at = `${field}[${index}]`;
    if (!ranges.some(({ begin, end }) => host_port >= begin && host_port <= end)) {
      return `${at}.host_port: port ${host_port} is not among the ports of the task's resources`;
    }
    if (container_port > MAX_PORT) return `${at}.container_port: expected at most ${MAX_PORT}, got ${container_port}`;
    if (!PROTOCOLS.includes(protocol.toLowerCase())) {
      return `${at}.protocol: expected ${PROTOCOLS.join(', ')}, got ${JSON.stringify(protocol.slice(0, 100))}`;
    }
    const name = `${container_port}/${protocol.toLowerCase()}`;
    request.ExposedPorts[name] = {};
    const bindings = PortBindings[name] ?? [];
    bindings.push({ HostIp: '', HostPort: String(host_port) });
    PortBindings[name] = bindings;
  }
  return undefined;
}

interface VolumePlace {
  /** Where the container sees it. */
  readonly target: string;
  readonly isReadOnly: boolean;
}

const checkPath = (field: string, path: string): Problem =>
  overLimit('path', field, utf8Length(path)) ??
  (path === '' || path.includes('\0') ? `${field}: expected a path, got ${JSON.stringify(path)}` : undefined);

/** A volume by `host_path`: of the host, of a driver, or relative to the sandbox. */
function addHostPath(
  plan: DockerPlan,
  at: string,
  { container_path, host_path = '' }: Volume,
  { target, isReadOnly }: VolumePlace,
  driver: string | undefined,
): Problem {
  const field = `${at}.host_path`;
  const { HostConfig } = plan.request;
  const isAbsolute = host_path.startsWith('/');
  if (!isAbsolute && !container_path.startsWith('/')) return `${at}: host_path and container_path are both relative`;
  if (isAbsolute || driver !== undefined) {
    if (`${host_path}${target}`.includes(':')) return `${field}: expected paths without ":"`;
    // The engine makes a directory that is missing.
    HostConfig.Binds.push(`${host_path}:${target}:${isReadOnly ? 'ro' : 'rw'}`);
    return checkPath(field, host_path);
  }
  return addSandboxPath(plan, field, host_path, { target, isReadOnly });
}

function addSandboxPath(plan: DockerPlan, field: string, path: string, { target, isReadOnly }: VolumePlace): Problem {
  const problem = checkPathBelow(field, path);
  if (problem !== undefined) return problem;
  const names = pathComponents(path);
  plan.directories.push({ root: plan.sandbox, names });
  const Source = [plan.sandbox, ...names].join('/');
  plan.request.HostConfig.Mounts.push({ Type: 'bind', Source, Target: target, ReadOnly: isReadOnly });
  return undefined;
}

function addDockerVolume(
  { request }: DockerPlan,
  at: string,
  { source }: Volume,
  { target, isReadOnly }: VolumePlace,
): Problem {
  const { name = '', driver, driver_options } = source?.docker_volume ?? {};
  const problem = checkPath(`${at}.source.docker_volume.name`, name);
  if (problem !== undefined) return problem;
  const options = Object.create(null) as Record<string, string>;
  for (const { key, value } of driver_options?.parameter ?? []) options[key] = value;
  const DriverConfig = { ...(driver === undefined ? {} : { Name: driver }), Options: options };
  const mount: Mount = {
    Type: 'volume',
    Source: name,
    Target: target,
    ReadOnly: isReadOnly,
    VolumeOptions: { DriverConfig },
  };
  request.HostConfig.Mounts.push(mount);
  return undefined;
}

const PROPAGATIONS = { HOST_TO_CONTAINER: 'rslave', BIDIRECTIONAL: 'rshared', UNKNOWN: 'rprivate' } as const;

function addSource(plan: DockerPlan, at: string, volume: Volume, place: VolumePlace): Problem {
  const { type, sandbox_path, host_path } = volume.source ?? {};
  if (type === 'DOCKER_VOLUME') return addDockerVolume(plan, at, volume, place);
  if (type === 'SANDBOX_PATH' && sandbox_path?.type === 'SELF') {
    return addSandboxPath(plan, `${at}.source.sandbox_path.path`, sandbox_path.path, place);
  }
  if (type === 'HOST_PATH' && host_path?.path.startsWith('/') === true) {
    const Propagation = PROPAGATIONS[host_path.mount_propagation?.mode ?? 'UNKNOWN'];
    plan.request.HostConfig.Mounts.push({
      Type: 'bind',
      Source: host_path.path,
      Target: place.target,
      ReadOnly: place.isReadOnly,
      BindOptions: { Propagation },
    });
    return checkPath(`${at}.source.host_path.path`, host_path.path);
  }
  return `${at}.source.type: expected DOCKER_VOLUME, HOST_PATH with an absolute path, or SANDBOX_PATH of type SELF`;
}

function addVolumes(plan: DockerPlan, spec: ContainerSpec, sandboxDirectory: string): Problem {
  const { volumes = [], docker } = spec.container ?? {};
  const driver = docker?.volume_driver;
  for (const [index, volume] of volumes.entries()) {
    const at = `container.volumes[${index}]`;
    const { container_path: path, mode } = volume;
    const problem = checkPath(`${at}.container_path`, path);
    if (problem !== undefined) return problem;
    if (mode !== 'RW' && mode !== 'RO') return `${at}.mode: expected RW or RO, got ${mode}`;
    if (volume.image !== undefined) return `${at}.image: expected in containers of type MESOS only`;
    const target = path.startsWith('/') ? path : `${sandboxDirectory}/${path}`;
    const place = { target, isReadOnly: mode === 'RO' };
    const failed =
      volume.host_path === undefined
        ? volume.source === undefined
          ? `${at}: expected host_path or source, got neither`
          : addSource(plan, at, volume, place)
        : addHostPath(plan, at, volume, place, driver);
    if (failed !== undefined) return failed;
  }
  if (driver !== undefined) plan.request.HostConfig['VolumeDriver'] = driver;
  for (const { containerPath, place } of spec.volumes) {
    const Source = [place.root, ...place.names].join('/');
    const Target = `${sandboxDirectory}/${containerPath}`;
    plan.request.HostConfig.Mounts.push({ Type: 'bind', Source, Target, ReadOnly: false });
  }
  return undefined;
}

/** The names of ulimits are those of Mesos without the prefix. */
function addUlimits({ Ulimits }: HostConfig, rlimits: RLimitInfo | undefined): Problem {
  for (const [index, { type, soft, hard }] of (rlimits?.rlimits ?? []).entries()) {
    const name = /^RLMT_([A-Z]+)$/.exec(type ?? '')?.[1];
    if (name === undefined)
      return `container.rlimit_info.rlimits[${index}].type: expected a resource limit, got ${type}`;
    Ulimits.push({ Name: name.toLowerCase(), Soft: soft ?? -1, Hard: hard ?? -1 });
  }
  return undefined;
}

/** A shell replaces the entry point of the image; otherwise value and arguments are appended to it, as Mesos does. */
function addCommand(
  request: CreateRequest,
  { shell = true, value, arguments: words = [] }: ContainerSpec['command'],
): Problem {
  if (shell) {
    if (!value) return 'command.value: expected a command for the shell, got nothing';
    request.Entrypoint = ['/bin/sh'];
    request.Cmd = ['-c', value];
    return undefined;
  }
  const command = [...(value === undefined ? [] : [value]), ...words];
  if (command.length > 0) request.Cmd = command;
  return undefined;
}

/** The image has variables of its own, so a task gets only what it names; an executor gets all that it needs. */
function addEnvironment({ environment }: CreateRequest, spec: ContainerSpec, sandboxDirectory: string): Problem {
  const own = new Set((spec.command.environment?.variables ?? []).map(({ name }) => name));
  for (const [name, value] of Object.entries(spec.environment)) {
    if (spec.isExecutor !== true && !own.has(name) && name !== 'MESOS_ALLOCATION_ROLE') continue;
    if (name === '' || name.includes('=')) return `environment: "${name}" can't be a variable's name`;
    environment.set(name, value);
  }
  environment.set('MESOS_SANDBOX', sandboxDirectory);
  environment.set('MESOS_CONTAINER_NAME', `${NAME_PREFIX}${spec.containerId}`);
  return undefined;
}

function newPlan(spec: ContainerSpec, owner: LaunchOwner | undefined, image: ImageName, network: string): DockerPlan {
  const { sandbox, container } = spec;
  const request: CreateRequest = {
    Image: imageReference(image),
    environment: new Map(),
    Labels: Object.create(null) as Record<string, string>,
    ExposedPorts: {},
    HostConfig: {
      Binds: [],
      Mounts: [],
      NetworkMode: network,
      PortBindings: {},
      Privileged: container?.docker?.privileged ?? false,
      Ulimits: [],
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
    },
    endpoint: {},
  };
  const forcePull = container?.docker?.force_pull_image ?? false;
  const networkInfo = container?.network_infos?.[0];
  return { kind: 'docker', owner, sandbox, image, forcePull, request, networkInfo, directories: [] };
}

const hasNul = (request: CreateRequest): boolean =>
  [...(request.Cmd ?? []), ...request.environment.keys(), ...request.environment.values()].some((it) =>
    it.includes('\0'),
  );

/** The plan of `spec`, or which field of it can't be carried out. */
export function planDockerContainer(
  spec: ContainerSpec,
  owner: LaunchOwner | undefined,
  options: DockerPlanOptions,
): Result<DockerPlan, string> {
  const { container } = spec;
  const docker = container?.docker;
  if (container === undefined || docker === undefined) return err('container.docker: is missing');
  if (spec.outer !== undefined) return err("container.type: a nested container can't be of type DOCKER");
  const unsupported = findUnsupported(container);
  if (unsupported !== undefined) return err(unsupported);
  const image = parseImageName(docker.image);
  if (!image.ok) return image;
  const network = networkOf(container);
  if (!network.ok) return network;
  const plan = newPlan(spec, owner, image.value, network.value);
  const problem = fillIn(plan, spec, container, docker, options);
  return problem === undefined ? ok(plan) : err(problem);
}

/** Where the task says nothing about DNS. */
function addDns(
  { HostConfig }: CreateRequest,
  parameters: readonly Parameter[],
  { defaultDns }: DockerPlanOptions,
): Problem {
  const { NetworkMode: network } = HostConfig;
  if (['host', 'none'].includes(network) || parameters.some(({ key }) => key.startsWith('dns'))) return undefined;
  const dns = defaultDnsFor(defaultDns, network === 'bridge' ? 'BRIDGE' : 'USER', [network])?.dns;
  if (dns === undefined) return undefined;
  HostConfig['Dns'] = dns.nameservers ?? [];
  HostConfig['DnsSearch'] = dns.search ?? [];
  HostConfig['DnsOptions'] = dns.options ?? [];
  return undefined;
}

function fillIn(
  plan: DockerPlan,
  spec: ContainerSpec,
  container: ContainerInfo,
  docker: ContainerInfoDockerInfo,
  options: DockerPlanOptions,
): Problem {
  const { request } = plan;
  const { HostConfig } = request;
  const { sandboxDirectory, agent } = options;
  const parameters = docker.parameters ?? [];
  if (container.hostname !== undefined) {
    if (HostConfig.NetworkMode === 'host') return "container.hostname: a container in the host's network has its name";
    request['Hostname'] = container.hostname;
  }
  Object.assign(HostConfig, limitsOf(spec, options));
  HostConfig.Mounts.push({ Type: 'bind', Source: spec.sandbox, Target: sandboxDirectory, ReadOnly: false });
  const problem =
    addCommand(request, spec.command) ??
    addEnvironment(request, spec, sandboxDirectory) ??
    addPorts(request, docker, spec) ??
    addVolumes(plan, spec, sandboxDirectory) ??
    addUlimits(HostConfig, spec.rlimits) ??
    overLimit('dockerParameters', 'container.docker.parameters', parameters.length) ??
    applyParameters(request, parameters) ??
    addDns(request, parameters, options) ??
    (hasNul(request) ? 'command or environment: a NUL byte is in it' : undefined);
  // DOCKER-PLAN-3.
  request.Labels[AGENT_LABEL] = agent;
  return problem;
}
