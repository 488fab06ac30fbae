// Every flag of a Mesos master, with its default and aliases (docs/configuration/master.md; facts: flags.csv).
import { err, ok, parseDuration, type Result } from '@meseta/base';
import {
  asGiven,
  booleanFlag,
  byteSizeFlag,
  countFlag,
  durationFlag,
  type FlagValues,
  hostFlag,
  numberFlag,
  oneOf,
  parseNames,
  pathFlag,
  portFlag,
  textFlag,
  tlsFlags,
  urlFlag,
  valueFlag,
} from '@meseta/platform';
import { peerFlags } from '@meseta/platform/peer-flags';
import { validateRole } from '@meseta/resources';
import type { RateLimit } from '../core/options.js';

/** `N/DURATION`: at most N in that time. */
function parseRate(text: string): Result<RateLimit, string> {
  const [count, time] = text.split('/');
  const perMs = parseDuration(time ?? '');
  if (!/^\d+(\.\d+)?$/.test(count ?? '') || Number(count) <= 0 || !perMs.ok || perMs.value <= 0) {
    return err(`expected a rate such as 1/10mins, got ${JSON.stringify(text)}`);
  }
  return ok({ permits: Number(count), perMs: perMs.value });
}

/** `N%` as a share from 0 to 1. */
function parsePercent(text: string): Result<number, string> {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const percent = Number(match?.[1]);
  return match && percent <= 100
    ? ok(percent / 100)
    : err(`expected a percentage from 0% to 100%, got ${JSON.stringify(text)}`);
}

function parseRoles(text: string): Result<readonly string[], string> {
  const names = parseNames(text);
  const wrong = names.ok ? names.value.map(validateRole).find((role) => !role.ok) : names;
  return wrong === undefined || wrong.ok ? names : err(wrong.error);
}

/** `role=weight,role=weight`. */
function parseWeights(text: string): Result<ReadonlyMap<string, number>, string> {
  const weights = new Map<string, number>();
  for (const pair of text.split(',').filter((part) => part !== '')) {
    const [role = '', weight] = pair.split('=');
    if (role === '' || !(Number(weight) > 0))
      return err(`expected role=weight with a weight above 0, got ${JSON.stringify(pair)}`);
    const valid = validateRole(role);
    if (!valid.ok) return err(valid.error);
    weights.set(role, Number(weight));
  }
  return ok(weights);
}

const rateFlag = (aliases: readonly string[]) =>
  valueFlag(parseRate, asGiven, {
    aliases,
    help: 'The rate at which unreachable agents are removed, e.g. 1/10mins.',
  });

const sorterFlag = (options: {
  readonly default: string;
  readonly aliases?: readonly string[];
  readonly help: string;
}) => valueFlag(oneOf('drf', 'random'), asGiven, options);

const later = { status: 'ignored' } as const;
/** Elections use ZooKeeper or etcd only: another detector would let each of several masters lead. */
const electionModules = {
  status: 'refused',
  help: 'Modules cannot be loaded. Give --zk or --coordinator, or start one master without this flag; its registry is in --work_dir.',
} as const;

/** Mesos counts the replicas of its log with it. */
const parseQuorum = (text: string): Result<number, string> =>
  /^[1-9]\d{0,2}$/.test(text) ? ok(Number(text)) : err(`expected a number from 1 to 999, got ${JSON.stringify(text)}`);

export const masterFlags = {
  acls: textFlag({ help: 'Access control lists, as JSON or file:///path.' }),
  advertise_ip: textFlag({ help: 'The address that agents and frameworks use to reach this master.' }),
  advertise_port: portFlag({ help: 'The port that agents and frameworks use to reach this master.' }),
  agent_ping_timeout: durationFlag({
    default: '15secs',
    aliases: ['slave_ping_timeout'],
    help: 'How long an agent may take to answer a ping.',
  }),
  agent_removal_rate_limit: rateFlag(['slave_removal_rate_limit']),
  agent_reregister_timeout: durationFlag({
    default: '10mins',
    aliases: ['slave_reregister_timeout'],
    help: 'How long an agent may take to re-register; at least 10mins.',
  }),
  allocation_interval: durationFlag({ default: '1secs', help: 'The time between allocation runs.' }),
  allocator: textFlag({ ...later, default: 'hierarchical' }),
  allocator_agent_recovery_factor: numberFlag({
    default: '0.8',
    help: 'The share of known agents that must re-register, after a failover with quota, before offers are sent.',
  }),
  allocator_recovery_timeout: durationFlag({ default: '10mins', help: 'How long to wait for these agents at most.' }),
  authenticate_agents: booleanFlag({
    default: false,
    aliases: ['authenticate_slaves'],
    help: 'Only agents that have authenticated may register.',
  }),
  authenticate_frameworks: booleanFlag({
    default: false,
    aliases: ['authenticate'],
    help: 'Only v0 frameworks that have authenticated may register.',
  }),
  authenticate_http_frameworks: booleanFlag({ default: false, help: 'HTTP frameworks must authenticate.' }),
  authenticate_http_readonly: booleanFlag({
    default: false,
    help: 'Requests to endpoints that show state must authenticate.',
  }),
  authenticate_http_readwrite: booleanFlag({
    default: false,
    aliases: ['authenticate_http'],
    help: 'Requests to endpoints that change state must authenticate.',
  }),
  authentication_v0_timeout: durationFlag({
    default: '15secs',
    help: 'How long an agent or v0 framework may take to authenticate.',
  }),
  authenticators: textFlag({ default: 'crammd5', help: 'How agents and v0 frameworks authenticate: crammd5.' }),
  authorizers: textFlag({ default: 'local', help: 'The authorizer: local, which uses --acls.' }),
  cluster: textFlag({ help: 'The name of the cluster.' }),
  coordinator: urlFlag({
    help: 'The etcd that elects one of several masters and keeps the registry: etcd://USER:PASSWORD@HOST:PORT,.../PREFIX, with TLS etcds://...?ca=FILE&cert=FILE&key=FILE, or file:///path of a file that contains it.',
  }),
  credentials: pathFlag({ help: 'A file with principals and their secrets, as JSON or a pair on each line.' }),
  domain: textFlag({ help: "The master's fault domain, as JSON." }),
  external_log_file: pathFlag({ help: 'A log file written by another program, to be served at /files.' }),
  fair_sharing_excluded_resource_names: valueFlag(parseNames, asGiven, {
    help: 'Resources that do not count in fair shares.',
  }),
  filter_gpu_resources: booleanFlag({
    default: true,
    help: 'Offer machines with gpus only to frameworks with GPU_RESOURCES.',
  }),
  firewall_rules: textFlag({ help: 'Endpoints that are switched off, as JSON or file:///path.' }),
  framework_sorter: sorterFlag({
    default: 'drf',
    help: 'How resources are shared among the frameworks of a role: drf or random.',
  }),
  help: booleanFlag({ default: false, help: 'Shows this text.' }),
  hooks: textFlag({ ...later }),
  hostname: hostFlag({ help: 'The host name that this master publishes.' }),
  hostname_lookup: booleanFlag({
    default: true,
    help: 'Look up the host name from the address if --hostname is not given.',
  }),
  http_authenticators: textFlag({ default: 'basic', help: 'How HTTP requests authenticate: basic.' }),
  http_framework_authenticators: textFlag({ help: 'How HTTP frameworks authenticate: basic.' }),
  initialize_driver_logging: booleanFlag({ ...later, default: true }),
  ip: textFlag({ help: 'The address to listen on; loopback if it is not given.' }),
  ip_discovery_command: textFlag({ help: 'A shell command that prints the address to listen on.' }),
  log_auto_initialize: booleanFlag({ ...later, default: true }),
  log_dir: pathFlag({ help: 'The directory for a copy of the log, mesos-master.INFO, which /files serves.' }),
  logbufsecs: numberFlag({ ...later, default: '0' }),
  logging_level: valueFlag(oneOf('INFO', 'WARNING', 'ERROR'), asGiven, {
    default: 'INFO',
    help: 'INFO, WARNING or ERROR.',
  }),
  master_contender: textFlag(electionModules),
  master_detector: textFlag(electionModules),
  ...peerFlags,
  max_agents_per_address: countFlag({
    default: '1000',
    help: 'How many agents may be registered from one address.',
  }),
  max_agent_ping_timeouts: countFlag({
    default: '5',
    aliases: ['max_slave_ping_timeouts'],
    help: 'How many unanswered pings make an agent unreachable.',
  }),
  max_completed_frameworks: countFlag({ default: '50', help: 'How many completed frameworks to keep.' }),
  max_completed_tasks_per_framework: countFlag({
    default: '1000',
    help: 'How many completed tasks to keep for each framework.',
  }),
  max_executors_per_agent: countFlag({ ...later }),
  max_operator_event_stream_subscribers: countFlag({
    default: '1000',
    help: 'How many operator streams may be open; one more closes the oldest.',
  }),
  max_unreachable_tasks_per_framework: countFlag({
    default: '1000',
    help: 'How many unreachable tasks to keep for each framework.',
  }),
  memory_profiling: booleanFlag({ ...later, default: false }),
  min_allocatable_resources: textFlag({
    default: 'cpus:0.01|mem:32',
    help: 'An offer contains at least one of these.',
  }),
  modules: textFlag({ ...later }),
  modules_dir: pathFlag({ ...later }),
  offer_constraints_re2_max_mem: byteSizeFlag({
    default: '4KB',
    help: 'The memory that a regular expression of offer constraints may need.',
  }),
  offer_constraints_re2_max_program_size: countFlag({
    default: '100',
    help: 'The instructions that a regular expression of offer constraints may have.',
  }),
  offer_timeout: durationFlag({ help: 'How long a framework may keep an offer before it is rescinded.' }),
  port: portFlag({ default: '5050', help: 'The port to listen on.' }),
  publish_per_framework_metrics: booleanFlag({ default: true, help: 'Show metrics of each framework.' }),
  quiet: booleanFlag({ default: false, help: 'Log errors only.' }),
  quorum: valueFlag(parseQuorum, asGiven, {
    help: 'Above 1 it needs --zk or --coordinator, which keeps the registry, so the number itself has no effect.',
  }),
  rate_limits: textFlag({ help: 'Messages a second of v0 frameworks by principal, as JSON or file:///path.' }),
  recovery_agent_removal_limit: valueFlag(parsePercent, asGiven, {
    default: '100%',
    aliases: ['recovery_slave_removal_limit'],
    help: 'The share of agents that may not re-register after a failover; beyond it the master exits.',
  }),
  registry: textFlag({
    default: 'replicated_log',
    help: 'in_memory, or replicated_log: durable in --work_dir, or in ZooKeeper or etcd with --zk or --coordinator.',
  }),
  registry_fetch_timeout: durationFlag({ ...later, default: '1mins' }),
  registry_gc_interval: durationFlag({
    default: '15mins',
    help: 'How often old entries of unreachable and gone agents are removed from the registry.',
  }),
  registry_max_agent_age: durationFlag({
    default: '2weeks',
    help: 'How long entries of unreachable and gone agents are kept.',
  }),
  registry_max_agent_count: countFlag({
    default: '102400',
    help: 'How many entries of unreachable and of gone agents are kept.',
  }),
  registry_store_timeout: durationFlag({ ...later, default: '20secs' }),
  registry_strict: booleanFlag({ ...later, default: false }),
  require_agent_domain: booleanFlag({ default: false, help: 'Refuse agents without a fault domain.' }),
  role_sorter: sorterFlag({
    default: 'drf',
    aliases: ['user_sorter'],
    help: 'How resources are shared among roles: drf or random.',
  }),
  roles: valueFlag(parseRoles, asGiven, { help: 'The only roles that may be used.' }),
  root_submissions: booleanFlag({ ...later, default: true }),
  ...tlsFlags,
  trusted_hosts: valueFlag(parseNames, asGiven, {
    help: 'Host names under which browsers may reach this master, besides its own name and its addresses.',
  }),
  version: booleanFlag({ default: false, help: 'Shows the version.' }),
  webui_dir: pathFlag({ ...later }),
  weights: valueFlag(parseWeights, asGiven, {
    help: 'Weights of roles: a=2,b=3; used only if the registry has no weights.',
  }),
  whitelist: pathFlag({ ...later }),
  work_dir: pathFlag({ help: 'The directory of the registry.' }),
  zk: urlFlag({
    help: 'The ZooKeeper that elects one of several masters and keeps the registry: zk://USER:PASSWORD@HOST:PORT,.../PATH, with TLS zks://...?ca=FILE&cert=FILE&key=FILE, or file:///path of a file that contains it.',
  }),
  zk_session_timeout: durationFlag({
    default: '10secs',
    help: 'How long ZooKeeper or etcd waits for a silent master before another one is elected.',
  }),
};

export type MasterFlags = FlagValues<typeof masterFlags>;
