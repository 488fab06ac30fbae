// Every flag of a Mesos agent, with its default and aliases (docs/configuration/agent.md; facts: flags.csv).
import { err, ok, type Result } from '@meseta/base';
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
import { parseAttributes } from '@meseta/resources';
import type { DomainInfo } from '@meseta/wire';
import { DomainInfoCodec } from '@meseta/wire/codecs';

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

const attributesFlag = (options: { readonly help: string }) => valueFlag(parseAttributes, asGiven, options);
const domainFlag = (options: { readonly help: string }) => valueFlag(parseDomain, DomainInfoCodec.write, options);
const SECRET_NAME = /pass|secret|token|credential|key|auth|private/i;
/** Shows values as they were given, but for variables whose names say that they hold a secret. */
const withoutSecrets = (variables: Readonly<Record<string, string>>): string =>
  JSON.stringify(variables, (name, value) => (SECRET_NAME.test(name) ? '<hidden>' : value));
const environmentFlag = (options: { readonly help: string }) => valueFlag(parseEnvironment, withoutSecrets, options);

const levelFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('INFO', 'WARNING', 'ERROR'), asGiven, options);
const policyFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('equal', 'additive'), asGiven, options);
const recoverFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('reconnect', 'cleanup'), asGiven, options);

const launcherFlag = (options: { readonly default: string; readonly help: string }) =>
  valueFlag(oneOf('posix', 'linux'), asGiven, options);

/** The names that Mesos knows, in any order. */
function parseContainerizers(text: string): Result<string, string> {
  const known = ['mesos', 'docker'];
  const unknown = text.split(',').find((name) => !known.includes(name.trim()));
  return unknown === undefined ? ok(text) : err(`expected a list of mesos and docker, got ${JSON.stringify(unknown)}`);
}
const containerizersFlag = (options: { readonly default: string; readonly status: 'ignored' }) =>
  valueFlag(parseContainerizers, asGiven, options);

const later = { status: 'ignored' } as const;

export const agentFlags = {
  acls: textFlag({ help: 'Who may do what, as JSON or file:///path.' }),
  advertise_ip: textFlag({ help: 'The address that others are told to reach this agent at.' }),
  advertise_port: portFlag({ help: 'The port that others are told to reach this agent at.' }),
  agent_features: textFlag(later),
  agent_subsystems: textFlag({ ...later, aliases: ['slave_subsystems'] }),
  allowed_devices: textFlag(later),
  appc_simple_discovery_uri_prefix: textFlag({ ...later, default: 'http://' }),
  appc_store_dir: textFlag({ ...later, default: '/tmp/mesos/store/appc' }),
  attributes: attributesFlag({ help: 'What offers show of this agent, e.g. rack:r1;size:10;span:[1-5].' }),
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
    help: 'How much longer each attempt to authenticate may wait.',
  }),
  authentication_timeout_max: durationFlag({ default: '1mins', help: 'The longest wait for an authentication.' }),
  authentication_timeout_min: durationFlag({ default: '5secs', help: 'The shortest wait for an authentication.' }),
  authorizer: textFlag({ default: 'local', help: 'Who decides what is allowed: local, by --acls.' }),
  bounding_capabilities: textFlag(later),
  cgroups_cpu_enable_pids_and_tids_count: booleanFlag({ ...later, default: false }),
  cgroups_destroy_timeout: textFlag({ ...later, default: '1mins' }),
  cgroups_enable_cfs: booleanFlag({ ...later, default: false }),
  cgroups_hierarchy: textFlag({ ...later, default: '/sys/fs/cgroup' }),
  cgroups_limit_swap: booleanFlag({ ...later, default: false }),
  cgroups_net_cls_primary_handle: textFlag(later),
  cgroups_net_cls_secondary_handles: textFlag(later),
  cgroups_root: textFlag({ ...later, default: 'mesos' }),
  check_agent_port_range_only: textFlag({ ...later, default: 'false' }),
  container_disk_watch_interval: textFlag({ ...later, default: '15secs' }),
  container_logger: textFlag({
    help: 'org_apache_mesos_LogrotateContainerLogger limits stdout and stderr, with the parameters in --modules.',
  }),
  container_ports_isolated_range: textFlag(later),
  container_ports_watch_interval: textFlag({ ...later, default: '30secs' }),
  containerizers: containerizersFlag({ ...later, default: 'mesos' }),
  credential: pathFlag({ help: 'A file with the principal and secret for the master.' }),
  csi_plugin_config_dir: textFlag(later),
  default_container_dns: textFlag(later),
  default_container_info: textFlag(later),
  default_container_shm_size: textFlag(later),
  default_role: textFlag({ default: '*', help: 'The role of resources that --resources gives none.' }),
  disallow_sharing_agent_ipc_namespace: booleanFlag({ ...later, default: false }),
  disallow_sharing_agent_pid_namespace: booleanFlag({ ...later, default: false }),
  disk_floor: byteSizeFlag({
    default: '64MB',
    help: "No task is launched while work_dir's disk has less room than this, or than a twentieth of a smaller disk.",
  }),
  disk_profile_adaptor: textFlag(later),
  disk_watch_interval: durationFlag({ default: '1mins', help: 'How often the disk of work_dir is looked at.' }),
  docker: textFlag({ ...later, default: 'docker' }),
  docker_config: secretFlag(later),
  docker_ignore_runtime: booleanFlag({ ...later, default: false }),
  docker_kill_orphans: booleanFlag({ ...later, default: true }),
  docker_mesos_image: textFlag(later),
  docker_registry: textFlag({ ...later, default: 'https://registry-1.docker.io' }),
  docker_remove_delay: textFlag({ ...later, default: '6hrs' }),
  docker_socket: textFlag({ ...later, default: '/var/run/docker.sock' }),
  docker_stop_timeout: textFlag({ ...later, default: '0ns' }),
  docker_store_dir: textFlag({ ...later, default: '/tmp/mesos/store/docker' }),
  docker_volume_checkpoint_dir: textFlag({ ...later, default: '/var/run/mesos/isolators/docker/volume' }),
  docker_volume_chown: booleanFlag({ ...later, default: false }),
  domain: domainFlag({ help: 'The fault domain, as JSON.' }),
  domain_socket_location: textFlag(later),
  effective_capabilities: textFlag({ ...later, aliases: ['allowed_capabilities'] }),
  egress_burst: textFlag(later),
  egress_ceil_limit: textFlag(later),
  egress_flow_classifier_parent: textFlag({ ...later, default: 'root' }),
  egress_rate_limit_per_container: textFlag(later),
  egress_rate_per_cpu: textFlag(later),
  egress_unique_flow_per_container: textFlag({ ...later, default: 'false' }),
  enforce_container_disk_quota: booleanFlag({ ...later, default: false }),
  enforce_container_ports: textFlag({ ...later, default: 'false' }),
  ephemeral_ports_per_container: textFlag({ ...later, default: '1024' }),
  eth0_name: textFlag(later),
  executor_environment_variables: environmentFlag({ help: 'A JSON object of variables for every executor.' }),
  executor_registration_timeout: durationFlag({
    default: '1mins',
    help: "How long a framework's executor may take to subscribe before it is destroyed.",
  }),
  executor_reregistration_retry_interval: textFlag(later),
  executor_reregistration_timeout: durationFlag({
    default: '2secs',
    help: 'How long an executor may take to come back to a restarted agent; at most 15secs.',
  }),
  executor_shutdown_grace_period: durationFlag({ default: '5secs', help: 'How long an executor may take to end.' }),
  external_log_file: pathFlag({ help: 'A log file, written by someone else, to be shown.' }),
  fetcher_cache_dir: pathFlag({ default: '/tmp/mesos/fetch', help: 'Where fetched files are cached.' }),
  fetcher_cache_size: byteSizeFlag({ default: '2GB', help: "How much the fetcher's cache may take." }),
  fetcher_max_task_size: byteSizeFlag({
    default: '32GB',
    help: 'How many bytes all URIs of a task may bring into its sandbox, extracted ones too.',
  }),
  fetcher_max_uri_size: byteSizeFlag({
    default: '16GB',
    help: 'How many bytes one URI may bring into a sandbox, extracted ones too.',
  }),
  fetcher_stall_timeout: durationFlag({ default: '1mins', help: 'A download that brings nothing for so long fails.' }),
  firewall_rules: textFlag({ help: 'Endpoints that are switched off, as JSON or file:///path.' }),
  frameworks_home: pathFlag({ help: 'Where relative URIs count from.' }),
  gc_delay: durationFlag({ default: '1weeks', help: 'How long sandboxes are kept at most.' }),
  gc_disk_headroom: numberFlag({ default: '0.1', help: 'The share of the disk that is kept free, 0 to 1.' }),
  gc_non_executor_container_sandboxes: booleanFlag({ ...later, default: false }),
  hadoop_home: textFlag(later),
  help: booleanFlag({ default: false, help: 'Prints this text.' }),
  hooks: textFlag(later),
  host_path_volume_force_creation: textFlag(later),
  hostname: hostFlag({ help: 'The name that the cluster knows this host by.' }),
  hostname_lookup: booleanFlag({
    default: true,
    help: "Whether the host's name is looked up; else its address is used.",
  }),
  http_authenticators: textFlag({ help: 'How HTTP requests authenticate: basic, jwt or both.' }),
  http_command_executor: booleanFlag({ default: false, help: 'Shown to tasks in their environment.' }),
  http_credentials: pathFlag({ help: 'A file with principals and their secrets, for basic authentication.' }),
  http_executor_domain_sockets: booleanFlag({ ...later, default: false }),
  http_heartbeat_interval: textFlag({ ...later, default: '30secs' }),
  image_gc_config: textFlag(later),
  image_providers: textFlag(later),
  image_provisioner_backend: textFlag(later),
  ingress_burst: textFlag(later),
  ingress_ceil_limit: textFlag(later),
  ingress_isolate_existing_containers: textFlag(later),
  ingress_rate_limit_per_container: textFlag(later),
  ingress_rate_per_cpu: textFlag(later),
  initialize_driver_logging: booleanFlag({ ...later, default: true }),
  ip: textFlag({ help: 'The address to listen on; loopback unless given.' }),
  ip6: textFlag(later),
  ip6_discovery_command: textFlag(later),
  ip_discovery_command: textFlag({ help: 'A shell command that prints the address to listen on.' }),
  isolation: textFlag({ ...later, default: 'posix/cpu,posix/mem' }),
  jwt_secret_key: pathFlag({ aliases: ['executor_secret_key'], help: 'A file with the key that signs tokens.' }),
  launcher: launcherFlag({ default: 'linux', help: 'posix; linux is taken for posix, with a warning.' }),
  launcher_dir: textFlag(later),
  lo_name: textFlag(later),
  log_dir: pathFlag({ help: 'Where the log is also written to, as mesos-agent.INFO; shown under /files.' }),
  logbufsecs: textFlag({ ...later, default: '0' }),
  logging_level: levelFlag({ default: 'INFO', help: 'INFO, WARNING or ERROR: what is logged.' }),
  master: urlFlag({ help: 'Where the master is: host:port, or file:///path with that in it.' }),
  master_detector: textFlag(later),
  max_completed_executors_per_framework: countFlag({
    default: '150',
    help: 'How many ended executors of a framework are remembered.',
  }),
  maximum_egress_rate_limit: textFlag(later),
  maximum_ingress_rate_limit: textFlag(later),
  memory_profiling: booleanFlag({ ...later, default: false }),
  minimum_egress_rate_limit: textFlag(later),
  minimum_ingress_rate_limit: textFlag(later),
  modules: jsonFlag({ help: 'Parameters of --container_logger, as JSON; other modules are not loaded.' }),
  modules_dir: textFlag(later),
  network_cni_config_dir: textFlag(later),
  network_cni_metrics: booleanFlag({ ...later, default: true }),
  network_cni_plugins_dir: textFlag(later),
  network_cni_root_dir_persist: booleanFlag({ ...later, default: false }),
  network_enable_rate_statistics: textFlag(later),
  network_enable_snmp_statistics: textFlag({ ...later, default: 'false' }),
  network_enable_socket_statistics_details: textFlag({ ...later, default: 'false' }),
  network_enable_socket_statistics_summary: textFlag({ ...later, default: 'false' }),
  network_link_speed: textFlag(later),
  network_rate_statistics_interval: textFlag(later),
  network_rate_statistics_window: textFlag(later),
  nvidia_gpu_devices: textFlag(later),
  oversubscribed_resources_interval: textFlag({ ...later, default: '15secs' }),
  perf_duration: textFlag({ ...later, default: '10secs' }),
  perf_events: textFlag(later),
  perf_interval: textFlag({ ...later, default: '1mins' }),
  port: portFlag({ default: '5051', help: 'The port to listen on.' }),
  qos_controller: textFlag(later),
  qos_correction_interval_min: textFlag({ ...later, default: '0ns' }),
  quiet: booleanFlag({ default: false, help: 'Logs nothing to stderr.' }),
  reconfiguration_policy: policyFlag({
    default: 'equal',
    help: 'equal or additive: what may change between two starts with one work_dir.',
  }),
  recover: recoverFlag({
    default: 'reconnect',
    help: 'reconnect: goes on with what an earlier agent left; cleanup: ends it, and itself.',
  }),
  recovery_timeout: durationFlag({ default: '15mins', help: 'How long executors wait for the agent to come back.' }),
  registration_backoff_factor: durationFlag({
    default: '1secs',
    help: 'The longest first pause before registering; at most 1mins.',
  }),
  resource_estimator: textFlag(later),
  resource_provider_config_dir: textFlag(later),
  resources: textFlag({ help: 'What this agent offers, e.g. cpus:4;mem:4096; what is left out is detected.' }),
  revocable_cpu_low_priority: booleanFlag({ ...later, default: true }),
  runtime_dir: pathFlag({
    default: '/var/run/mesos',
    help: 'Where the state of containers lies while the host is up.',
  }),
  sandbox_directory: pathFlag({
    default: '/mnt/mesos/sandbox',
    help: 'Where containers with an image see their sandbox.',
  }),
  seccomp_config_dir: textFlag(later),
  seccomp_profile_name: textFlag(later),
  secret_resolver: textFlag(later),
  strict: booleanFlag({ ...later, default: true }),
  switch_user: booleanFlag({ default: true, help: 'Whether tasks run as the user that they name.' }),
  systemd_enable_support: booleanFlag({ ...later, default: true }),
  systemd_runtime_directory: textFlag({ ...later, default: '/run/systemd/system' }),
  ...peerFlags,
  ...tlsFlags,
  trusted_hosts: valueFlag(parseNames, asGiven, {
    help: 'Names under which browsers may reach this agent, beside its own and addresses.',
  }),
  version: booleanFlag({ default: false, help: 'Prints the version.' }),
  volume_gid_range: textFlag(later),
  work_dir: pathFlag({ required: true, help: 'Where the agent keeps its state and the sandboxes.' }),
  xfs_kill_containers: textFlag(later),
  xfs_project_range: textFlag({ ...later, default: '[5000-10000]' }),
  xfs_quota_headroom: textFlag(later),
  zk_session_timeout: textFlag({ ...later, default: '10secs' }),
};

export type AgentFlags = FlagValues<typeof agentFlags>;
