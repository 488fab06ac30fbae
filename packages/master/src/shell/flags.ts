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

/** `N/duration`: at most N of something in that time. */
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
    help: 'How many agents may be removed in a time, e.g. 1/10mins.',
  });

const sorterFlag = (options: {
  readonly default: string;
  readonly aliases?: readonly string[];
  readonly help: string;
}) => valueFlag(oneOf('drf', 'random'), asGiven, options);

const later = { status: 'ignored' } as const;
/** Masters that were started to elect one of them would all lead. */
const severalMasters = {
  status: 'refused',
  help: 'Several masters are not supported yet. Start one master without this flag; its registry is in --work_dir.',
} as const;

const parseQuorum = (text: string): Result<number, string> =>
  text === '1' ? ok(1) : err(`expected 1, as several masters are not supported yet, got ${JSON.stringify(text)}`);

export const masterFlags = {
  acls: textFlag({ help: 'Who may do what, as JSON or file:///path.' }),
  advertise_ip: textFlag({ help: 'The address that others are told to reach this master at.' }),
  advertise_port: portFlag({ help: 'The port that others are told to reach this master at.' }),
  agent_ping_timeout: durationFlag({
    default: '15secs',
    aliases: ['slave_ping_timeout'],
    help: 'How long an agent may take to answer a ping.',
  }),
  agent_removal_rate_limit: rateFlag(['slave_removal_rate_limit']),
  agent_reregister_timeout: durationFlag({
    default: '10mins',
    aliases: ['slave_reregister_timeout'],
    help: 'How long an agent may take to come back; at least 10mins.',
  }),
  allocation_interval: durationFlag({ default: '1secs', help: 'The time between allocation runs.' }),
  allocator: textFlag({ ...later, default: 'hierarchical' }),
  allocator_agent_recovery_factor: numberFlag({
    default: '0.8',
    help: 'The share of known agents to wait for, after a failover with quota, before offers go out.',
  }),
  allocator_recovery_timeout: durationFlag({ default: '10mins', help: 'How long to wait for them at most.' }),
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
  authorizers: textFlag({ default: 'local', help: 'Who decides what is allowed: local, by --acls.' }),
  cluster: textFlag({ help: 'A name for people to know the cluster by.' }),
  credentials: pathFlag({ help: 'A file with principals and their secrets, as JSON or a pair on each line.' }),
  domain: textFlag({ help: "The master's fault domain, as JSON." }),
  external_log_file: pathFlag({ help: 'A log file, written by someone else, to be shown.' }),
  fair_sharing_excluded_resource_names: valueFlag(parseNames, asGiven, {
    help: 'Resources that do not count in shares.',
  }),
  filter_gpu_resources: booleanFlag({
    default: true,
    help: 'Offer machines with gpus only to frameworks with GPU_RESOURCES.',
  }),
  firewall_rules: textFlag({ help: 'Endpoints that are switched off, as JSON or file:///path.' }),
  framework_sorter: sorterFlag({ default: 'drf', help: 'How frameworks of a role share: drf or random.' }),
  help: booleanFlag({ default: false, help: 'Shows this.' }),
  hooks: textFlag({ ...later }),
  hostname: hostFlag({ help: 'The name that others are told.' }),
  hostname_lookup: booleanFlag({ default: true, help: 'Look the name up from the address where none is given.' }),
  http_authenticators: textFlag({ default: 'basic', help: 'How HTTP requests authenticate: basic.' }),
  http_framework_authenticators: textFlag({ help: 'How HTTP frameworks authenticate: basic.' }),
  initialize_driver_logging: booleanFlag({ ...later, default: true }),
  ip: textFlag({ help: 'The address to listen on; loopback where none is given.' }),
  ip_discovery_command: textFlag({ help: 'A shell command that prints the address to listen on.' }),
  log_auto_initialize: booleanFlag({ ...later, default: true }),
  log_dir: pathFlag({ help: 'Where the log is also written to, as mesos-master.INFO; shown under /files.' }),
  logbufsecs: numberFlag({ ...later, default: '0' }),
  logging_level: valueFlag(oneOf('INFO', 'WARNING', 'ERROR'), asGiven, {
    default: 'INFO',
    help: 'INFO, WARNING or ERROR.',
  }),
  master_contender: textFlag(severalMasters),
  master_detector: textFlag(severalMasters),
  ...peerFlags,
  max_agents_per_address: countFlag({
    default: '1000',
    help: 'How many agents may be registered from one address.',
  }),
  max_agent_ping_timeouts: countFlag({
    default: '5',
    aliases: ['max_slave_ping_timeouts'],
    help: 'How many pings may go unanswered.',
  }),
  max_completed_frameworks: countFlag({ default: '50', help: 'How many ended frameworks to remember.' }),
  max_completed_tasks_per_framework: countFlag({
    default: '1000',
    help: 'How many ended tasks to remember for each framework.',
  }),
  max_executors_per_agent: countFlag({ ...later }),
  max_operator_event_stream_subscribers: countFlag({
    default: '1000',
    help: 'How many operator streams may be open; one more closes the oldest.',
  }),
  max_unreachable_tasks_per_framework: countFlag({
    default: '1000',
    help: 'How many unreachable tasks to remember for each framework.',
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
  offer_timeout: durationFlag({ help: 'How long a framework may sit on an offer.' }),
  port: portFlag({ default: '5050', help: 'The port to listen on.' }),
  publish_per_framework_metrics: booleanFlag({ default: true, help: 'Show metrics of each framework.' }),
  quiet: booleanFlag({ default: false, help: 'Log errors only.' }),
  quorum: valueFlag(parseQuorum, asGiven, later),
  rate_limits: textFlag({ help: 'Messages a second of v0 frameworks by principal, as JSON or file:///path.' }),
  recovery_agent_removal_limit: valueFlag(parsePercent, asGiven, {
    default: '100%',
    aliases: ['recovery_slave_removal_limit'],
    help: 'The share of agents that may be lost in a failover before the master gives up.',
  }),
  registry: textFlag({ default: 'replicated_log', help: 'in_memory, or replicated_log: durable in work_dir.' }),
  registry_fetch_timeout: durationFlag({ ...later, default: '1mins' }),
  registry_gc_interval: durationFlag({
    default: '15mins',
    help: 'How often old entries are dropped from the registry.',
  }),
  registry_max_agent_age: durationFlag({
    default: '2weeks',
    help: 'How long unreachable and gone agents are remembered.',
  }),
  registry_max_agent_count: countFlag({ default: '102400', help: 'How many of them are remembered.' }),
  registry_store_timeout: durationFlag({ ...later, default: '20secs' }),
  registry_strict: booleanFlag({ ...later, default: false }),
  require_agent_domain: booleanFlag({ default: false, help: 'Refuse agents without a fault domain.' }),
  role_sorter: sorterFlag({ default: 'drf', aliases: ['user_sorter'], help: 'How roles share: drf or random.' }),
  roles: valueFlag(parseRoles, asGiven, { help: 'The only roles that may be used.' }),
  root_submissions: booleanFlag({ ...later, default: true }),
  ...tlsFlags,
  trusted_hosts: valueFlag(parseNames, asGiven, {
    help: 'Names under which browsers may reach this master, beside its own and addresses.',
  }),
  version: booleanFlag({ default: false, help: 'Shows the version.' }),
  webui_dir: pathFlag({ ...later }),
  weights: valueFlag(parseWeights, asGiven, {
    help: 'Weights of roles: a=2,b=3; kept only where the registry has none.',
  }),
  whitelist: pathFlag({ ...later }),
  work_dir: pathFlag({ help: 'Where the registry is kept.' }),
  zk: urlFlag(severalMasters),
  zk_session_timeout: durationFlag({ ...later, default: '10secs' }),
};

export type MasterFlags = FlagValues<typeof masterFlags>;
