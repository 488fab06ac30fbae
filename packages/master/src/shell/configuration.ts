// Turns flags into the configuration of a master.
import { promises as dns } from 'node:dns';
import { join } from 'node:path';
import type { AllocatorOptions } from '@meseta/allocator';
import { err, formatDuration, ok, type Result } from '@meseta/base';
import { coordinatorAt, type OpenCoordinator } from '@meseta/coordination/coordinator';
import { parseZooKeeperAddress } from '@meseta/coordination/zookeeper/address';
import type { Logger } from '@meseta/platform';
import { discoverIp } from '@meseta/platform/discover-ip';
import { ownAddressOf } from '@meseta/platform/own-address';
import { peerOptionsOf } from '@meseta/platform/peer-flags';
import { parseQuantities } from '@meseta/resources';
import type { DomainInfo } from '@meseta/wire';
import { renderWireError } from '@meseta/wire';
import { DomainInfoCodec } from '@meseta/wire/codecs';
import { DEFAULT_MASTER_OPTIONS, type MasterOptions } from '../core/options.js';
import type { MasterFlags } from './flags.js';
import { coreAuthorizerOf, type MasterSecurity, securityOf } from './security.js';

/** Where the registry is stored: in a directory, in memory only, or in the ZooKeeper or etcd that also elects the leader. */
export type RegistryPlace =
  | { readonly kind: 'memory' }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'coordinator'; readonly open: OpenCoordinator; readonly sessionTimeoutMs: number };

export interface MasterConfig {
  readonly ip: string;
  /** 0 listens on any free port. */
  readonly port: number;
  readonly advertise: { readonly ip?: string | undefined; readonly port?: number | undefined };
  readonly peerOptions: ReturnType<typeof peerOptionsOf>;
  readonly hostname: string;
  readonly registry: RegistryPlace;
  readonly options: MasterOptions;
  readonly domain: DomainInfo | undefined;
  readonly cluster: string | undefined;
  readonly perFrameworkMetrics: boolean;
  readonly maxOperatorStreams: number;
  readonly security: MasterSecurity;
  /** Whether a standby prepares its code for leadership (rehearsal/rehearsal.ts). */
  readonly rehearses: boolean;
  /** The flags in force, as /flags shows them. */
  readonly flags: ReadonlyMap<string, string>;
  readonly log: Logger;
  /** The file with the log; undefined if there is none. */
  readonly logFile: string | undefined;
}

export interface ConfigurationError {
  readonly flag: string;
  readonly text: string;
}

const invalidFlag = (flag: string, text: string) => err<ConfigurationError>({ flag, text: `Flag --${flag}: ${text}` });

const loopback = '127.0.0.1';
const minReregisterTimeoutMs = 600_000;
const minSessionTimeoutMs = 1000;
const maxSessionTimeoutMs = 600_000;

export async function configurationOf(
  flags: MasterFlags,
  shown: ReadonlyMap<string, string>,
  log: Logger,
  env: NodeJS.ProcessEnv,
  logFile?: string,
): Promise<Result<MasterConfig, ConfigurationError>> {
  if (flags.ip !== undefined && flags.ip_discovery_command !== undefined) {
    return invalidFlag('ip_discovery_command', 'expected only one of it and --ip');
  }
  const found = flags.ip_discovery_command === undefined ? undefined : await discoverIp(flags.ip_discovery_command);
  if (found?.ok === false) return invalidFlag('ip_discovery_command', found.error);
  const ip = flags.ip ?? found?.value ?? loopback;
  const own = await ownAddressOf(ip, flags.advertise_ip);
  if (!own.ok) return invalidFlag(own.error.flag, own.error.text);
  for (const warning of own.value.warnings) log.warning(warning);
  const registry = registryOf(flags);
  if (!registry.ok) return registry;
  const domain = domainOf(flags.domain);
  if (!domain.ok) return domain;
  const options = optionsOf(flags, domain.value);
  if (!options.ok) return options;
  const hostname = flags.hostname ?? (await hostnameOf(own.value.advertiseIp ?? ip, flags.hostname_lookup));
  const security = securityOf(flags, hostname, env);
  if (!security.ok) return invalidFlag(security.error.flag, security.error.text);
  for (const warning of security.value.warnings) log.warning(warning);
  return ok({
    ip,
    port: flags.port,
    advertise: { ip: own.value.advertiseIp, port: flags.advertise_port },
    peerOptions: peerOptionsOf(flags),
    hostname,
    registry: registry.value,
    options: {
      ...options.value,
      authorize: coreAuthorizerOf(security.value.gate.authorizer),
      // An agent with a credential takes messages of drivers only where certificates show their address.
      agentsAcceptDriverMessages:
        !security.value.peers.authenticateAgents || security.value.tls?.requireClientCert === true,
    },
    domain: domain.value,
    cluster: flags.cluster,
    perFrameworkMetrics: flags.publish_per_framework_metrics,
    maxOperatorStreams: flags.max_operator_event_stream_subscribers,
    security: security.value,
    // Other registries have one candidate, which leads at once.
    rehearses: registry.value.kind === 'coordinator',
    flags: shown,
    log,
    logFile,
  });
}

function registryOf(flags: MasterFlags): Result<RegistryPlace, ConfigurationError> {
  if (flags.zk !== undefined || flags.coordinator !== undefined) return coordinatorOf(flags);
  if ((flags.quorum ?? 1) > 1) {
    const text = `expected 1 without --zk or --coordinator, because each of several masters would lead, got ${flags.quorum}`;
    return invalidFlag('quorum', text);
  }
  if (flags.registry === 'in_memory') return ok({ kind: 'memory' });
  if (flags.registry !== 'replicated_log') {
    return invalidFlag('registry', `expected in_memory or replicated_log, got ${JSON.stringify(flags.registry)}`);
  }
  if (flags.work_dir === undefined) return invalidFlag('work_dir', 'is required with --registry=replicated_log');
  return ok({ kind: 'directory', path: join(flags.work_dir, 'registry') });
}

function coordinatorOf(flags: MasterFlags): Result<RegistryPlace, ConfigurationError> {
  if (flags.zk !== undefined && flags.coordinator !== undefined)
    return invalidFlag('coordinator', 'expected only one of it and --zk');
  if (flags.registry !== 'replicated_log') {
    const text = 'expected replicated_log with --zk or --coordinator: the next leader reads it from there';
    return invalidFlag('registry', text);
  }
  // --zk takes no other service, as Mesos' tools read the flag.
  const zooKeeper = flags.zk === undefined ? undefined : parseZooKeeperAddress(flags.zk);
  if (zooKeeper?.ok === false) return invalidFlag('zk', zooKeeper.error);
  const coordinator = coordinatorAt(flags.zk ?? flags.coordinator ?? '');
  if (!coordinator.ok) return invalidFlag('coordinator', coordinator.error);
  const sessionTimeoutMs = flags.zk_session_timeout;
  if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
    const given = formatDuration(sessionTimeoutMs);
    return invalidFlag('zk_session_timeout', `expected 1secs to 10mins, got ${given}`);
  }
  return ok({ kind: 'coordinator', open: coordinator.value, sessionTimeoutMs });
}

function domainOf(text: string | undefined): Result<DomainInfo | undefined, ConfigurationError> {
  if (text === undefined) return ok(undefined);
  const domain = DomainInfoCodec.parse(text);
  return domain.ok ? domain : invalidFlag('domain', renderWireError(domain.error));
}

function allocatorOf(flags: MasterFlags, domain: DomainInfo | undefined): Result<AllocatorOptions, ConfigurationError> {
  const minimums = [];
  for (const text of flags.min_allocatable_resources.split('|').filter((part) => part.trim() !== '')) {
    const quantities = parseQuantities(text);
    if (!quantities.ok) return invalidFlag('min_allocatable_resources', quantities.error);
    minimums.push(quantities.value);
  }
  return ok({
    allocationIntervalMs: flags.allocation_interval,
    roleSorter: flags.role_sorter,
    frameworkSorter: flags.framework_sorter,
    fairSharingExcludedResourceNames: flags.fair_sharing_excluded_resource_names,
    minAllocatableResources: minimums,
    filterGpuResources: flags.filter_gpu_resources,
    domain,
  });
}

function optionsOf(flags: MasterFlags, domain: DomainInfo | undefined): Result<MasterOptions, ConfigurationError> {
  if (flags.agent_reregister_timeout < minReregisterTimeoutMs) {
    const given = formatDuration(flags.agent_reregister_timeout);
    return invalidFlag('agent_reregister_timeout', `expected at least 10mins, got ${given}`);
  }
  const allocator = allocatorOf(flags, domain);
  if (!allocator.ok) return allocator;
  return ok({
    ...DEFAULT_MASTER_OPTIONS,
    agentPingTimeoutMs: flags.agent_ping_timeout,
    maxAgentPingTimeouts: flags.max_agent_ping_timeouts,
    agentReregisterTimeoutMs: flags.agent_reregister_timeout,
    agentRemovalRateLimit: flags.agent_removal_rate_limit,
    recoveryAgentRemovalLimit: flags.recovery_agent_removal_limit,
    offerTimeoutMs: flags.offer_timeout,
    maxCompletedFrameworks: flags.max_completed_frameworks,
    maxCompletedTasksPerFramework: flags.max_completed_tasks_per_framework,
    maxUnreachableTasksPerFramework: flags.max_unreachable_tasks_per_framework,
    registryGcIntervalMs: flags.registry_gc_interval,
    registryMaxAgentAgeMs: flags.registry_max_agent_age,
    registryMaxAgentCount: flags.registry_max_agent_count,
    requireAgentDomain: flags.require_agent_domain,
    weights: flags.weights ?? new Map(),
    allocator: allocator.value,
    roles: flags.roles === undefined ? undefined : new Set(flags.roles),
    allocatorRecoveryTimeoutMs: flags.allocator_recovery_timeout,
    allocatorRecoveryFactor: flags.allocator_agent_recovery_factor,
    regexLimits: {
      maxMemoryBytes: flags.offer_constraints_re2_max_mem,
      maxProgramSize: flags.offer_constraints_re2_max_program_size,
    },
  });
}

/** The host name of an address; the address itself if lookups are off or find no name. */
async function hostnameOf(ip: string, lookup: boolean): Promise<string> {
  if (!lookup) return ip;
  return dns.lookupService(ip, 0).then(
    ({ hostname }) => hostname,
    () => ip,
  );
}
