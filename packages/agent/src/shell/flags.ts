// Every flag of a Mesos agent, with its default and aliases (docs/configuration/agent.md; facts: flags.csv).
import { checkPathBelow, err, ok, type Result } from '@meseta/base';
import type { BackendName } from '@meseta/containers/composing';
import { parseAllowedDevices } from '@meseta/containers/isolators/cgroups-devices';
import { parseIsolation } from '@meseta/containers/isolators/select';
import {
  asGiven,
  booleanFlag,
  byteSizeFlag,
  countFlag,
  durationFlag,
  type FlagValues,
  hostFlag,
  jsonFlag,
  numberFlag,
  oneOf,
  parseNames,
  pathFlag,
  portFlag,
  secretFlag,
  textFlag,
  tlsFlags,
  urlFlag,
  valueFlag,
} from '@meseta/platform';
import { peerFlags } from '@meseta/platform/peer-flags';
import { parseAttributes, parseResources } from '@meseta/resources';
import type { CapabilityInfo, DomainInfo, ValueRange } from '@meseta/wire';
import { CapabilityInfoCodec, DomainInfoCodec } from '@meseta/wire/codecs';
import { dnsFlag } from './dns-flag.js';
import { parseGpuIndexes } from './gpu-indexes.js';
import { backendFlag, imageGcFlag, providersFlag, registryFlag } from './image-flags.js';

function parseEnvironment(text: string): Result<Readonly<Record<string, string>>, string> {
  const expected = 'expected a JSON object whose values are strings';
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return err(expected);
    const bad = Object.entries(value).find(([, each]) => typeof each !== 'string');
    return bad === undefined ? ok(value as Record<string, string>) : err(`${expected}; that of ${bad[0]} isn't`);
  } catch {
    return err(expected);
  }
}

function parseDomain(text: string): Result<DomainInfo, string> {
  const domain = DomainInfoCodec.parse(text);
  return domain.ok
    ? domain
    : err('expected a JSON object such as {"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}}');
}

function parsePortRanges(text: string): Result<readonly ValueRange[], string> {
  const parsed = parseResources(`ports:${text}`, '*');
  return parsed.ok ? ok(parsed.value[0]?.ranges?.range ?? []) : err('expected ranges of ports, such as [0-35000]');
}

const portRangesFlag = (options: { readonly help: string }) => valueFlag(parsePortRanges, asGiven, options);
const attributesFlag = (options: { readonly help: string }) => valueFlag(parseAttributes, asGiven, options);
const domainFlag = (options: { readonly help: string }) => valueFlag(parseDomain, DomainInfoCodec.write, options);
const SECRET_NAME = /pass|secret|token|credential|key|auth|private/i;
/** Shows the values as given, except those of variables whose names say that they are secret. */
const withoutSecrets = (variables: Readonly<Record<string, string>>): string =>
  JSON.stringify(variables, (name, value) => (SECRET_NAME.test(name) ? '<hidden>' : value));
const environmentFlag = (options: { readonly help: string }) => valueFlag(parseEnvironment, withoutSecrets, options);

const levelFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('INFO', 'WARNING', 'ERROR'), asGiven, options);
const policyFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('equal', 'additive'), asGiven, options);
const recoverFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('reconnect', 'cleanup'), asGiven, options);

const launcherFlag = (options: { readonly help: string }) => valueFlag(oneOf('posix', 'linux'), asGiven, options);

function parseCapabilities(text: string): Result<CapabilityInfo, string> {
  const info = CapabilityInfoCodec.parse(text);
  return info.ok ? info : err('expected a JSON object such as {"capabilities": ["NET_RAW", "CHOWN"]}');
}
const capabilitiesFlag = (options: { readonly aliases?: readonly string[]; readonly help: string }) =>
  valueFlag(parseCapabilities, CapabilityInfoCodec.write, options);

/** Names of isolators, separated by commas. */
function parseNamesOfIsolators(text: string): Result<string, string> {
  const names = parseIsolation(text);
  return names.ok ? ok(text) : names;
}

/** A list of the containerizers of Mesos, in any order. */
function parseContainerizers(text: string): Result<readonly BackendName[], string> {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => name !== 'mesos' && name !== 'docker');
  return unknown === undefined
    ? ok(names as readonly BackendName[])
    : err(`expected a list of mesos and docker, got ${JSON.stringify(unknown)}`);
}
const containerizersFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(parseContainerizers, asGiven, options);

/** A relative path of one or more cgroups. */
function parseCgroupsRoot(text: string): Result<string, string> {
  const problem = checkPathBelow('', text);
  return problem === undefined && !text.startsWith('/') && text !== ''
    ? ok(text)
    : err(`expected a relative path, got ${JSON.stringify(text)}`);
}
const cgroupsRootFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(parseCgroupsRoot, asGiven, options);

function parseDevices(text: string): Result<string, string> {
  const devices = parseAllowedDevices(text);
  return devices.ok ? ok(text) : devices;
}
const allowedDevicesFlag = (options: { readonly help: string }) => valueFlag(parseDevices, asGiven, options);

const gpusFlag = (options: { readonly help: string }) => valueFlag(parseGpuIndexes, asGiven, options);

const isolationFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(parseNamesOfIsolators, asGiven, options);

/** A flag of Mesos that has no effect yet. */
const ignored = { status: 'ignored' } as const;

export const agentFlags = {
  acls: textFlag({ help: 'The access control lists, as JSON or file:///path.' }),
  advertise_ip: textFlag({ help: 'The address that the agent advertises to its peers.' }),
  advertise_port: portFlag({ help: 'The port that the agent advertises to its peers.' }),
  agent_features: textFlag(ignored),
  agent_subsystems: textFlag({ ...ignored, aliases: ['slave_subsystems'] }),
  allowed_devices: allowedDevicesFlag({
    help: 'The devices that containers can open beside the default ones, as JSON or file:///path; needs the isolator cgroups/devices.',
  }),
  appc_simple_discovery_uri_prefix: textFlag({ ...ignored, default: 'http://' }),
  appc_store_dir: textFlag({ ...ignored, default: '/tmp/mesos/store/appc' }),
  attributes: attributesFlag({ help: 'The attributes of this agent in offers, e.g. rack:r1;size:10;span:[1-5].' }),
  authenticate_http_executors: booleanFlag({ default: false, help: 'HTTP executors must authenticate.' }),
  authenticate_http_readonly: booleanFlag({
    default: false,
    help: 'Requests to endpoints that show state must authenticate.',
  }),
  authenticate_http_readwrite: booleanFlag({
    default: false,
    help: 'Requests to endpoints that change state must authenticate.',
  }),
  authenticatee: textFlag({ default: 'crammd5', help: 'How the agent authenticates with its master: crammd5.' }),
  authentication_backoff_factor: durationFlag({
    default: '1secs',
    help: 'How much the wait for an answer grows with each attempt to authenticate.',
  }),
  authentication_timeout_max: durationFlag({
    default: '1mins',
    help: 'The longest wait for the answer of the master during authentication.',
  }),
  authentication_timeout_min: durationFlag({
    default: '5secs',
    help: 'The shortest wait for the answer of the master during authentication.',
  }),
  authorizer: textFlag({ default: 'local', help: 'The authorizer: local, which uses --acls.' }),
  bounding_capabilities: capabilitiesFlag({
    help: 'The capabilities that a container can have at most, as JSON: {"capabilities": ["NET_RAW"]}. Needs linux/capabilities.',
  }),
  cgroups_cpu_enable_pids_and_tids_count: booleanFlag({
    default: false,
    help: 'Whether the isolator cgroups/cpu counts the processes and threads of containers.',
  }),
  cgroups_destroy_timeout: durationFlag({
    default: '1mins',
    help: 'How long the agent waits for the end of killed processes before it reports the end of their container.',
  }),
  cgroups_enable_cfs: booleanFlag({
    default: false,
    help: 'Whether a container can use no more processor time than its cpus, also while the machine is idle; needs the isolator cgroups/cpu, or a container of type DOCKER.',
  }),
  cgroups_hierarchy: textFlag({
    default: '/sys/fs/cgroup',
    help: 'The directory that the cgroup hierarchies are mounted at or below.',
  }),
  cgroups_limit_swap: booleanFlag({
    default: false,
    help: 'Whether swap counts to the memory limit of a container; needs the isolator cgroups/mem.',
  }),
  cgroups_net_cls_primary_handle: textFlag(ignored),
  cgroups_net_cls_secondary_handles: textFlag(ignored),
  cgroups_pids_limit: countFlag({
    help: 'How many processes and threads a container can have at a time with the isolator cgroups/pids; default: 15% of those that the machine can have.',
  }),
  cgroups_root: cgroupsRootFlag({
    default: 'mesos',
    help: 'The cgroup that those of all containers are in. Agents on one machine need different ones.',
  }),
  check_agent_port_range_only: booleanFlag({
    default: false,
    help: 'The isolator network/ports watches only the ports of this agent.',
  }),
  container_disk_watch_interval: durationFlag({
    default: '15secs',
    help: 'How often the isolator disk/du measures the disk usage of a container.',
  }),
  container_logger: textFlag({
    help: 'org_apache_mesos_LogrotateContainerLogger limits the size of stdout and stderr; --modules has its parameters.',
  }),
  container_ports_isolated_range: portRangesFlag({
    help: 'The ports that the isolator network/ports watches, such as [0-35000]; all, if not given.',
  }),
  container_ports_watch_interval: durationFlag({
    default: '30secs',
    help: 'How often the isolator network/ports looks for the ports on which containers listen.',
  }),
  containerizers: containerizersFlag({
    default: 'mesos',
    help: 'mesos, docker or both: what runs containers. With docker those of type DOCKER run in the Docker engine.',
  }),
  credential: pathFlag({ help: 'A file with the principal and secret for the master.' }),
  csi_plugin_config_dir: textFlag(ignored),
  default_container_dns: dnsFlag({
    help: 'JSON: what containers know about DNS in networks of network/cni and Docker that say nothing about it.',
  }),
  default_container_info: textFlag(ignored),
  default_container_shm_size: byteSizeFlag({
    help: 'The size of a /dev/shm of its own, of a container that names none. Default: half of the memory.',
  }),
  default_role: textFlag({ default: '*', help: 'The role of the resources in --resources that name none.' }),
  disallow_sharing_agent_ipc_namespace: booleanFlag({
    default: false,
    help: 'With namespaces/ipc: refuse tasks that share the IPC namespace of the agent.',
  }),
  disallow_sharing_agent_pid_namespace: booleanFlag({
    default: false,
    help: 'With namespaces/pid: refuse tasks that share the pid namespace of the agent.',
  }),
  disk_floor: byteSizeFlag({
    default: '64MB',
    help: 'No task is launched while the disk of work_dir has less free space than this, or than a twentieth of the disk.',
  }),
  disk_profile_adaptor: textFlag(ignored),
  disk_watch_interval: durationFlag({
    default: '1mins',
    help: 'How often the usage of the disk of work_dir is measured.',
  }),
  docker: textFlag({ ...ignored, default: 'docker' }),
  docker_config: secretFlag({
    help: 'The credentials for registries: a config.json of Docker, as JSON, /path or file:///path.',
  }),
  docker_ignore_runtime: booleanFlag({
    default: false,
    help: 'Whether Entrypoint, Cmd, Env and WorkingDir of images have no effect.',
  }),
  docker_kill_orphans: booleanFlag({
    default: true,
    help: 'Whether containers that this agent launched in the Docker engine, and has no record of, are killed at its start.',
  }),
  docker_max_image_size: byteSizeFlag({
    default: '32GB',
    help: 'How many bytes the unpacked layers of an image may have.',
  }),
  docker_mesos_image: textFlag(ignored),
  docker_registry: registryFlag({
    default: 'https://registry-1.docker.io',
    help: 'Where images without a registry in their names are: a URL, or a directory with archives NAME:TAG.tar.',
  }),
  docker_remove_delay: durationFlag({
    default: '6hrs',
    help: 'How long ended containers are kept in the Docker engine.',
  }),
  docker_socket: pathFlag({ default: '/var/run/docker.sock', help: 'The unix socket of the Docker engine.' }),
  docker_stop_timeout: durationFlag({
    default: '0ns',
    help: 'How long an orphan in the Docker engine may take to end before it is killed.',
  }),
  docker_store_dir: pathFlag({ default: '/tmp/mesos/store/docker', help: 'The directory for unpacked images.' }),
  docker_volume_checkpoint_dir: textFlag({ ...ignored, default: '/var/run/mesos/isolators/docker/volume' }),
  docker_volume_chown: booleanFlag({ ...ignored, default: false }),
  domain: domainFlag({ help: 'The fault domain, as JSON.' }),
  domain_socket_location: textFlag(ignored),
  effective_capabilities: capabilitiesFlag({
    aliases: ['allowed_capabilities'],
    help: 'The capabilities of containers that name none, as JSON: {"capabilities": ["NET_RAW"]}. Needs linux/capabilities.',
  }),
  egress_burst: textFlag(ignored),
  egress_ceil_limit: textFlag(ignored),
  egress_flow_classifier_parent: textFlag({ ...ignored, default: 'root' }),
  egress_rate_limit_per_container: textFlag(ignored),
  egress_rate_per_cpu: textFlag(ignored),
  egress_unique_flow_per_container: textFlag({ ...ignored, default: 'false' }),
  enforce_container_disk_quota: booleanFlag({
    default: false,
    help: 'Whether a container that exceeds its disk resources is destroyed; needs the isolator disk/du.',
  }),
  enforce_container_ports: booleanFlag({
    default: false,
    help: 'Ends containers that listen on ports which they do not have; needs the isolator network/ports.',
  }),
  ephemeral_ports_per_container: textFlag({ ...ignored, default: '1024' }),
  eth0_name: textFlag(ignored),
  executor_environment_variables: environmentFlag({
    help: 'Environment variables of every executor, as a JSON object.',
  }),
  executor_registration_timeout: durationFlag({
    default: '1mins',
    help: 'How long an executor may take to subscribe before it is destroyed.',
  }),
  executor_reregistration_retry_interval: textFlag(ignored),
  executor_reregistration_timeout: durationFlag({
    default: '2secs',
    help: 'How long an executor may take to resubscribe after a restart of the agent; at most 15secs.',
  }),
  executor_shutdown_grace_period: durationFlag({
    default: '5secs',
    help: 'How long an executor may take to end after a shutdown before it is killed.',
  }),
  external_log_file: pathFlag({ help: 'A log file written by another program, which is shown under /files.' }),
  fetcher_cache_dir: pathFlag({ default: '/tmp/mesos/fetch', help: 'The directory for fetched files.' }),
  fetcher_cache_size: byteSizeFlag({ default: '2GB', help: 'The highest total size of cached files.' }),
  fetcher_max_task_size: byteSizeFlag({
    default: '32GB',
    help: 'How many bytes all URIs of a task together may write into its sandbox, extracted files included.',
  }),
  fetcher_max_uri_size: byteSizeFlag({
    default: '16GB',
    help: 'How many bytes one URI may write into a sandbox, extracted files included.',
  }),
  fetcher_stall_timeout: durationFlag({
    default: '1mins',
    help: 'How long a download may receive no data before it fails.',
  }),
  firewall_rules: textFlag({ help: 'The disabled endpoints, as JSON or file:///path.' }),
  frameworks_home: pathFlag({ help: 'The base directory of relative URIs.' }),
  gc_delay: durationFlag({ default: '1weeks', help: 'How long sandboxes of ended executors are kept at most.' }),
  gc_disk_headroom: numberFlag({ default: '0.1', help: 'The share of the disk that is kept free, 0 to 1.' }),
  gc_non_executor_container_sandboxes: booleanFlag({ ...ignored, default: false }),
  hadoop_home: textFlag(ignored),
  help: booleanFlag({ default: false, help: 'Prints this text.' }),
  hooks: textFlag(ignored),
  host_path_volume_force_creation: textFlag(ignored),
  hostname: hostFlag({ help: 'The host name that the agent reports to the cluster.' }),
  hostname_lookup: booleanFlag({
    default: true,
    help: 'Whether the host name is looked up. Without it the address is reported.',
  }),
  http_authenticators: textFlag({ help: 'How HTTP requests authenticate: basic, jwt or both.' }),
  http_command_executor: booleanFlag({ default: false, help: 'Passed to tasks in their environment.' }),
  http_credentials: pathFlag({ help: 'A file with principals and their secrets, for basic authentication.' }),
  http_executor_domain_sockets: booleanFlag({ ...ignored, default: false }),
  http_heartbeat_interval: durationFlag({
    default: '30secs',
    help: "The interval between the heartbeats of a stream of a container's output.",
  }),
  image_gc_config: imageGcFlag({
    help: 'When images that no container uses are removed, as JSON or file:///path (ImageGcConfig of Mesos).',
  }),
  image_providers: providersFlag({
    help: 'docker: containers can have images. Needs the isolators filesystem/linux and docker/runtime.',
  }),
  image_provisioner_backend: backendFlag({
    help: 'How layers become a root file system: overlay or copy. Default: overlay where it works.',
  }),
  ingress_burst: textFlag(ignored),
  ingress_ceil_limit: textFlag(ignored),
  ingress_isolate_existing_containers: textFlag(ignored),
  ingress_rate_limit_per_container: textFlag(ignored),
  ingress_rate_per_cpu: textFlag(ignored),
  initialize_driver_logging: booleanFlag({ ...ignored, default: true }),
  ip: textFlag({ help: 'The address to listen on; loopback unless given.' }),
  ip6: textFlag(ignored),
  ip6_discovery_command: textFlag(ignored),
  ip_discovery_command: textFlag({ help: 'A shell command that prints the address to listen on.' }),
  isolation: isolationFlag({
    default: 'posix/cpu,posix/mem',
    help: 'The isolators of containers, by their names in Mesos. The agent says at its start which have no effect.',
  }),
  jwt_secret_key: pathFlag({ aliases: ['executor_secret_key'], help: 'A file with the key that signs tokens.' }),
  launcher: launcherFlag({
    help: 'The launcher: linux (cgroups and namespaces; needs root) or posix. Default: linux where this machine can do it.',
  }),
  launcher_dir: textFlag(ignored),
  lo_name: textFlag(ignored),
  log_dir: pathFlag({ help: 'A directory for the log file mesos-agent.INFO, which is shown under /files.' }),
  logbufsecs: textFlag({ ...ignored, default: '0' }),
  logging_level: levelFlag({ default: 'INFO', help: 'The lowest level of log lines: INFO, WARNING or ERROR.' }),
  master: urlFlag({
    help: 'The master: host:port, zk://USER:PASSWORD@HOST:PORT,.../PATH, etcd://USER:PASSWORD@HOST:PORT,.../PREFIX, with TLS zks:// or etcds://...?ca=FILE&cert=FILE&key=FILE, or file:///path of a file that contains it.',
  }),
  master_detector: textFlag(ignored),
  max_completed_executors_per_framework: countFlag({
    default: '150',
    help: 'How many ended executors of a framework are kept for the endpoints.',
  }),
  maximum_egress_rate_limit: textFlag(ignored),
  maximum_ingress_rate_limit: textFlag(ignored),
  memory_profiling: booleanFlag({ ...ignored, default: false }),
  minimum_egress_rate_limit: textFlag(ignored),
  minimum_ingress_rate_limit: textFlag(ignored),
  modules: jsonFlag({
    help: 'The parameters of --container_logger, --resource_estimator and --qos_controller, as JSON. Other modules are not loaded.',
  }),
  modules_dir: textFlag(ignored),
  network_cni_config_dir: textFlag({ help: 'With network/cni: the directory of the configurations of networks.' }),
  network_cni_metrics: booleanFlag({ ...ignored, default: true }),
  network_cni_plugins_dir: textFlag({
    help: 'With network/cni: the directories of the plugins, separated by colons.',
  }),
  network_cni_root_dir_persist: booleanFlag({
    default: false,
    help: 'With network/cni: keep in work_dir how containers are attached, to detach them also after a reboot.',
  }),
  network_enable_rate_statistics: textFlag(ignored),
  network_enable_snmp_statistics: textFlag({ ...ignored, default: 'false' }),
  network_enable_socket_statistics_details: textFlag({ ...ignored, default: 'false' }),
  network_enable_socket_statistics_summary: textFlag({ ...ignored, default: 'false' }),
  network_link_speed: textFlag(ignored),
  network_rate_statistics_interval: textFlag(ignored),
  network_rate_statistics_window: textFlag(ignored),
  nvidia_gpu_devices: gpusFlag({
    help: 'With gpu/nvidia: the GPUs to offer, by their numbers in nvidia-smi, such as 0,1; as many as gpus in --resources.',
  }),
  oversubscribed_resources_interval: durationFlag({
    default: '15secs',
    help: 'How often the revocable resources of --resource_estimator are estimated.',
  }),
  perf_duration: textFlag({ ...ignored, default: '10secs' }),
  perf_events: textFlag(ignored),
  perf_interval: textFlag({ ...ignored, default: '1mins' }),
  port: portFlag({ default: '5051', help: 'The port to listen on.' }),
  qos_controller: textFlag({
    help: 'org_apache_mesos_LoadQoSController ends what uses revocable resources under load; --modules has its thresholds.',
  }),
  qos_correction_interval_min: durationFlag({
    default: '0ns',
    help: 'How often --qos_controller looks at the load; at least every second.',
  }),
  quiet: booleanFlag({ default: false, help: 'Logs nothing to stderr.' }),
  reconfiguration_policy: policyFlag({
    default: 'equal',
    help: 'equal or additive: what may change between two starts with one work_dir.',
  }),
  recover: recoverFlag({
    default: 'reconnect',
    help: 'reconnect: recovers the tasks of an earlier agent; cleanup: ends these tasks, then the agent.',
  }),
  recovery_timeout: durationFlag({ default: '15mins', help: 'How long executors wait for the agent to come back.' }),
  registration_backoff_factor: durationFlag({
    default: '1secs',
    help: 'The longest pause before the first attempt to register; at most 1mins.',
  }),
  resource_estimator: textFlag({
    help: 'org_apache_mesos_FixedResourceEstimator offers revocable resources; --modules has them.',
  }),
  resource_provider_config_dir: textFlag(ignored),
  resources: textFlag({
    help: 'The resources of this agent, e.g. cpus:4;mem:4096. Resources that are not named are detected.',
  }),
  revocable_cpu_low_priority: booleanFlag({
    default: true,
    help: 'Whether containers with revocable cpus get little processor time while the machine is busy; needs the isolator cgroups/cpu.',
  }),
  runtime_dir: pathFlag({
    default: '/var/run/mesos',
    help: 'The directory for the state of running containers.',
  }),
  sandbox_directory: pathFlag({
    default: '/mnt/mesos/sandbox',
    help: 'The path of the sandbox inside containers that have an image.',
  }),
  seccomp_config_dir: textFlag({ help: 'With linux/seccomp: the directory of the seccomp profiles.' }),
  seccomp_profile_name: textFlag({
    help: 'With linux/seccomp: the path, relative to seccomp_config_dir, of the profile of containers that name none.',
  }),
  secret_resolver: textFlag(ignored),
  strict: booleanFlag({ ...ignored, default: true }),
  switch_user: booleanFlag({
    default: true,
    help: 'Whether tasks run as the user that they name. Otherwise they run as the user of the agent.',
  }),
  systemd_enable_support: booleanFlag({ ...ignored, default: true }),
  systemd_runtime_directory: textFlag({ ...ignored, default: '/run/systemd/system' }),
  ...peerFlags,
  ...tlsFlags,
  trusted_hosts: valueFlag(parseNames, asGiven, {
    help: 'Host names under which browsers may reach this agent, besides its own name and addresses.',
  }),
  version: booleanFlag({ default: false, help: 'Prints the version.' }),
  volume_gid_range: textFlag(ignored),
  work_dir: pathFlag({ required: true, help: 'The directory for the state of the agent and the sandboxes.' }),
  xfs_kill_containers: textFlag(ignored),
  xfs_project_range: textFlag({ ...ignored, default: '[5000-10000]' }),
  xfs_quota_headroom: textFlag(ignored),
  zk_session_timeout: durationFlag({
    default: '10secs',
    help: 'How long the agent may be out of contact with ZooKeeper or etcd before it takes no master for the leader.',
  }),
};

export type AgentFlags = FlagValues<typeof agentFlags>;
