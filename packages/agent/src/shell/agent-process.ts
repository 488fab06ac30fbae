// Starts one agent in this process: connects the core, its loop, the port, the containers, the checkpoint and the endpoints.
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { createLoop, err, type Files, formatDuration, hostOf, LIMITS, ok, pidOf, type Result } from '@meseta/base';
import { type Containerizer, createContainerizer } from '@meseta/containers/containerizer';
import type { GpuOptions } from '@meseta/containers/gpus/gpus';
import type { ImageOptions } from '@meseta/containers/images/images';
import type { RotationLimits } from '@meseta/containers/streams/rotation';
import { createHost, type Host, hostNoteText, type Logger, realClock } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { cryptoRandom } from '@meseta/platform/crypto-random';
import { createFiles } from '@meseta/platform/files';
import { connectLines } from '@meseta/platform/line-connections';
import { createLoggingLevel } from '@meseta/platform/logging-level';
import { createOutbound } from '@meseta/platform/outbound';
import { type OwnAddress, ownAddressOf } from '@meseta/platform/own-address';
import { peerMetrics, peerOptionsOf } from '@meseta/platform/peer-flags';
import { createProcesses } from '@meseta/platform/processes';
import { validateRole } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import { relocatedPath } from '../core/checkpoint-records.js';
import type { AgentEffect, AgentInput, CheckpointEntry } from '../core/io.js';
import { type AgentCore, createAgent } from '../core/machine.js';
import type { AgentOptions } from '../core/options.js';
import { createSender, type Sender } from './authentication.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { createContainerCalls } from './container-calls.js';
import { createDetector, findHostname, type MasterDetector } from './detector.js';
import { watchDiskRoom } from './disk-room.js';
import { dockerOptions, readDockerConfig } from './docker-options.js';
import { performEffect } from './effects.js';
import { createExecutorApi } from './executor-api.js';
import type { AgentFlags } from './flags.js';
import { offeredGpus } from './gpu-flags.js';
import { createRequestHandler, type RequestHandler } from './http.js';
import { isolationOptionsOf, loadNvidiaDriver, seccompOptionsOf } from './isolation-options.js';
import { oversubscriptionFlags, watchLoad } from './oversubscription.js';
import { type AgentPeerGate, createAgentPeerGate } from './peer-gate.js';
import { agentResources } from './resources.js';
import { rotationLimits } from './rotation.js';
import { type AgentSecurity, createRunAsCheck, peerChecksOf, securityOf } from './security.js';

const ACTOR = 'slave(1)';
const LOOPBACK = '127.0.0.1';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface AgentProcessOptions {
  readonly flags: AgentFlags;
  /** As /flags shows them. */
  readonly shown: ReadonlyMap<string, string>;
  readonly log: Logger;
  /** The path of the agent's log. */
  readonly logFile?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Starts a supervisor for the directory that is added to the arguments. */
  readonly supervisor: { readonly program: string; readonly arguments: readonly string[] };
  /** Starts a helper process of images. */
  readonly imageHelper: { readonly program: string; readonly arguments: readonly string[] };
  /** The agent can't or needn't go on; the caller must call `stop`. */
  onExit(status: 0 | 1, message: string): void;
}

export interface RunningAgent {
  /** `ip:port` */
  readonly address: string;
  /** Leaves the cluster for good: ends every task, then calls `onExit`. */
  leave(message: string): void;
  /** Stops the agent. Its tasks run on, and the next agent with this work_dir recovers them. */
  stop(): Promise<void>;
}

/** Checks the values of flags beyond their syntax. */
function findFlagProblem(flags: AgentFlags): string | undefined {
  if (flags.master === undefined)
    return 'Flag --master is required: host:port of a master, zk://HOST:PORT,.../PATH or etcd://HOST:PORT,.../PREFIX';
  if (flags.registration_backoff_factor > 60_000) {
    const given = formatDuration(flags.registration_backoff_factor);
    return `Flag --registration_backoff_factor: expected at most 1mins, got ${given}`;
  }
  if (flags.executor_reregistration_timeout > 15_000) {
    const given = formatDuration(flags.executor_reregistration_timeout);
    return `Flag --executor_reregistration_timeout: expected at most 15secs, got ${given}`;
  }
  if (!(flags.gc_disk_headroom >= 0 && flags.gc_disk_headroom <= 1)) {
    return `Flag --gc_disk_headroom: expected a number from 0 to 1, got ${flags.gc_disk_headroom}`;
  }
  if (flags.http_heartbeat_interval <= 0) {
    const given = formatDuration(flags.http_heartbeat_interval);
    return `Flag --http_heartbeat_interval: expected more than 0, got ${given}`;
  }
  const role = validateRole(flags.default_role);
  return role.ok ? undefined : `Flag --default_role: ${role.error}`;
}

/** Starts an agent. The error is a message for the person who started it. */
export async function startAgent(options: AgentProcessOptions): Promise<Result<RunningAgent, string>> {
  const { flags, log } = options;
  const problem = findFlagProblem(flags);
  if (problem !== undefined) return err(problem);
  const security = securityOf(flags, options.env);
  if (!security.ok) return err(`Flag ${security.error}`);
  for (const warning of security.value.warnings) log.warning(warning);
  const detector = await createDetector(flags.master ?? '', { sessionTimeoutMs: flags.zk_session_timeout, log });
  if (!detector.ok) return err(`Flag --master: ${detector.error}`);
  const own = await ownAddressOf(flags.ip ?? LOOPBACK, flags.advertise_ip);
  if (!own.ok) return err(`Flag --${own.error.flag}: ${own.error.text}`);
  for (const warning of own.value.warnings) log.warning(warning);
  const directories = await claimDirectories(flags);
  if (!directories.ok) return directories;
  if (flags.ip === undefined) log.info(`--ip is not given: listening on loopback (${LOOPBACK}) only`);
  // Before anything else in work_dir: it locks work_dir.
  const checkpoint = await openCheckpoint({
    directory: `${resolve(flags.work_dir)}/meta`,
    warn: log.warning,
    onFailure: (text) => options.onExit(1, text),
  });
  if (!checkpoint.ok) return err(`Flag --work_dir: ${checkpoint.error}`);
  const inputs = createInputs();
  const host = await openHost(options, security.value, own.value, inputs);
  const started = host.ok
    ? await run(options, security.value, host.value, checkpoint.value, inputs, detector.value, own.value.localIp)
    : host;
  if (started.ok) detector.value.start((master) => inputs.push({ kind: 'masterDetected', master }));
  else {
    if (host.ok) await host.value.close();
    await checkpoint.value.close();
  }
  return started;
}

/** Tasks of all users must be able to enter the first and the last directory. */
async function claimDirectories(flags: AgentFlags): Promise<Result<void, string>> {
  const { claimDirectory } = createFiles();
  const claims = [
    ['work_dir', resolve(flags.work_dir), 0o711],
    ['runtime_dir', resolve(flags.runtime_dir), 0o700],
    ['fetcher_cache_dir', fetcherDirectory(flags), 0o711],
  ] as const;
  for (const [flag, path, mode] of claims) {
    const claimed = await claimDirectory(path, mode);
    if (!claimed.ok) return err(`Flag --${flag}: ${claimed.error.message}`);
  }
  return ok(undefined);
}

interface Inputs {
  push(input: AgentInput): void;
  /** Passes on the inputs that came before the loop was made, and all later ones. */
  open(push: (input: AgentInput) => void, handler: RequestHandler): void;
  readonly handler: RequestHandler | undefined;
  /** Undefined until the agent sends. Earlier messages are dropped, as peers repeat them. */
  peers: { readonly sender: Sender; readonly gate: AgentPeerGate } | undefined;
}

function createInputs(): Inputs {
  const early: AgentInput[] = [];
  let target = (input: AgentInput): void => void early.push(input);
  let handler: RequestHandler | undefined;
  return {
    push: (input) => target(input),
    open(push, handle) {
      target = push;
      handler = handle;
      for (const input of early.splice(0)) push(input);
    },
    get handler() {
      return handler;
    },
    peers: undefined,
  };
}

async function openHost(
  { flags, log }: AgentProcessOptions,
  { tls }: AgentSecurity,
  { advertiseIp }: OwnAddress,
  inputs: Inputs,
): Promise<Result<Host, string>> {
  const host = await createHost({
    ip: flags.ip ?? LOOPBACK,
    port: flags.port,
    advertise: { ip: advertiseIp, port: flags.advertise_port },
    tls,
    ...peerOptionsOf(flags),
    onMessage: (message) => inputs.peers?.gate.onMessage(message) ?? 'accepted',
    onConnectionClosed: (connection) => inputs.peers?.gate.onConnectionClosed(connection),
    onRequest(request, response) {
      if (inputs.handler !== undefined) inputs.handler(request, response);
      else response.writeHead(503, { 'Content-Length': 0 }).end();
    },
    onPeerLost: (address) => {
      inputs.peers?.sender.peerLost(address);
      inputs.push({ kind: 'peerLost', address });
    },
    onNote: (note) => log.limited('debug', note.kind, hostNoteText(note)),
  });
  return host.ok ? host : err(host.error.message);
}

async function run(
  options: AgentProcessOptions,
  security: AgentSecurity,
  host: Host,
  checkpoint: Checkpoint,
  inputs: Inputs,
  detector: MasterDetector,
  localIp: string,
): Promise<Result<RunningAgent, string>> {
  const { flags, log } = options;
  const [workDir, startMs, files] = [resolve(flags.work_dir), realClock.now().monoMs, createFiles()];
  const known = await agentResources(flags.resources, flags.default_role, workDir, files);
  if (!known.ok) return known;
  const gpus = await offeredGpus(flags, known.value, loadNvidiaDriver);
  if (!gpus.ok) return gpus;
  const resources = [...known.value, ...gpus.value.resources];
  const modules = modulesOf(flags);
  if (!modules.ok) return modules;
  const { oversubscription, thresholds, limits } = modules.value;
  const made = await openContainerizer(options, inputs, files, limits, resources, gpus.value.options);
  if (!made.ok) return made;
  const containerizer = made.value;
  for (const warning of containerizer.warnings) log.warning(warning);
  const facts = { localIp, workDir, resources, oversubscription, containerizer };
  const config = await configOf(flags, host, files, security, facts);
  const core = createAgent(config, cryptoRandom());
  const entries = checkpoint.read();
  const formerWorkDir = workDirIn(entries) ?? workDir;
  const recovered = await containerizer.recover((sandbox) => relocatedPath(sandbox, formerWorkDir, workDir));
  const push = (input: AgentInput): void => loop.push(input);
  const calls = { executorApi: createExecutorApi(push), containerCalls: createContainerCalls(push) };
  const { sender, gate: peerGate } = openPeers(options, security, host, core, push);
  inputs.peers = { sender, gate: peerGate };
  const ports = {
    host,
    sender,
    ...calls,
    executorKey: security.executorKey,
    checkpoint,
    containerizer,
    files,
    log,
    workDir,
    push,
    exit: options.onExit,
  };
  const loop = createAgentLoop(core, (effect) => performEffect(ports, effect));
  loop.push({ kind: 'start', checkpoint: entries, containers: recovered });
  const recoverySeconds = (realClock.now().monoMs - startMs) / 1000;
  const { shown, logFile } = options;
  const portMetrics = () => new Map([...peerGate.metrics(), ...peerMetrics(host.stats)]);
  const processFacts = { shown, logFile, masterHostname: detector.hostname, recoverySeconds, portMetrics };
  const handler = createRequestHandler({
    core,
    gate: security.gate,
    containerizer,
    files,
    logging: createLoggingLevel(log, realClock),
    heartbeatMs: flags.http_heartbeat_interval,
    ...calls,
    ...processFacts,
  });
  const disk = { files, clock: realClock, workDir, checkpoint, floorBytes: flags.disk_floor, push };
  const stopDisk = await watchDiskRoom(disk);
  const stopLoad = watchLoad(thresholds, flags.qos_correction_interval_min, realClock, push);
  inputs.open(loop.push, handler);
  return ok({
    address: host.address,
    leave: (message) => push({ kind: 'leave', message }),
    async stop() {
      loop.stop();
      await detector.close();
      sender.close();
      stopDisk();
      stopLoad();
      await host.close();
      await containerizer.close();
      await checkpoint.close();
    },
  });
}

/** What the flags of Mesos' modules that are built in ask for. */
function modulesOf(flags: AgentFlags) {
  const limits = rotationLimits(flags.container_logger, flags.modules);
  if (!limits.ok) return limits;
  const spare = oversubscriptionFlags(flags);
  return spare.ok ? ok({ ...spare.value, limits: limits.value }) : spare;
}

/** The work_dir of the agent that wrote the checkpoint. */
const workDirIn = (entries: readonly CheckpointEntry[]): string | undefined =>
  entries.map(({ record }) => record).find((record) => record.kind === 'agent')?.workDir;

const createAgentLoop = (core: AgentCore, perform: (effect: AgentEffect) => void) =>
  createLoop<AgentInput, AgentEffect>({
    step: core.step,
    nextDeadline: core.nextDeadline,
    hasWork: core.hasWork,
    perform,
    tick: { kind: 'tick' },
    continue: { kind: 'tick' },
    clock: realClock,
  });

/** Makes the sender of messages to peers and the gate for messages from them. */
function openPeers(
  { flags, log, onExit }: AgentProcessOptions,
  security: AgentSecurity,
  host: Host,
  core: AgentCore,
  push: (input: AgentInput) => void,
): { readonly sender: Sender; readonly gate: AgentPeerGate } {
  const { pid } = core.state.options;
  const { credential } = security;
  const senderOptions = { host, actor: ACTOR, pid, credential, flags, clock: realClock, log };
  const sender = createSender({ ...senderOptions, exit: onExit, proven: (connection) => gate.proven(connection) });
  const gate: AgentPeerGate = createAgentPeerGate({
    actor: ACTOR,
    sender,
    ...peerChecksOf(security),
    log,
    master: () => core.state.registration.master,
    push,
  });
  return { sender, gate };
}

/** Agents of one machine may share the directory of the flag: each has a directory of its own in it, which it empties. */
export function fetcherDirectory(flags: Pick<AgentFlags, 'fetcher_cache_dir' | 'work_dir'>): string {
  const own = createHash('sha256').update(resolve(flags.work_dir)).digest('hex').slice(0, 16);
  return resolve(flags.fetcher_cache_dir, own);
}

/** As the fetcher, each agent has a directory of its own in the store, where it removes what it does not use. */
function imageOptionsOf(
  { flags, imageHelper }: AgentProcessOptions,
  dockerConfig: string | undefined,
): ImageOptions | undefined {
  if (!flags.image_providers?.includes('docker')) return undefined;
  const own = createHash('sha256').update(resolve(flags.work_dir)).digest('hex').slice(0, 16);
  return {
    storeDir: resolve(flags.docker_store_dir, own),
    rootsDir: resolve(flags.work_dir, 'provisioner'),
    registry: flags.docker_registry,
    dockerConfig,
    stallTimeoutMs: flags.fetcher_stall_timeout,
    maxImageBytes: flags.docker_max_image_size,
    maxImageEntries: LIMITS.imageEntries.most,
    backend: flags.image_provisioner_backend,
    gc: flags.image_gc_config,
    sandboxDirectory: flags.sandbox_directory,
    ignoreRuntime: flags.docker_ignore_runtime,
    architecture: process.arch,
    helper: imageHelper,
  };
}

async function openContainerizer(
  options: AgentProcessOptions,
  inputs: Inputs,
  files: Files,
  rotation: RotationLimits | undefined,
  resources: readonly Resource[],
  gpus: GpuOptions | undefined,
): Promise<Result<Containerizer, string>> {
  const { flags, supervisor, log } = options;
  const isolation = await isolationOptionsOf(flags, resources);
  if (!isolation.ok) return isolation;
  const dockerConfig = await readDockerConfig(flags, files);
  if (!dockerConfig.ok) return dockerConfig;
  return createContainerizer({
    runtimeDir: resolve(flags.runtime_dir),
    workDir: resolve(flags.work_dir),
    files,
    processes: createProcesses(),
    outbound: createOutbound(),
    connectLines,
    supervisor,
    clock: realClock,
    isolation: isolation.value,
    launcher: {
      name: flags.launcher,
      destroyTimeoutMs: flags.cgroups_destroy_timeout,
    },
    images: imageOptionsOf(options, dockerConfig.value),
    gpus,
    seccomp: await seccompOptionsOf(flags),
    random: cryptoRandom(),
    warn: log.warning,
    rotation,
    containerizers: flags.containerizers,
    docker: dockerOptions(flags, dockerConfig.value),
    fetcher: {
      cacheDir: fetcherDirectory(flags),
      cacheBytes: flags.fetcher_cache_size,
      frameworksHome: flags.frameworks_home,
      stallTimeoutMs: flags.fetcher_stall_timeout,
      maxUriBytes: flags.fetcher_max_uri_size,
      maxTaskBytes: flags.fetcher_max_task_size,
    },
    onEvent: (event) => inputs.push({ kind: 'containerEvent', event }),
  });
}

async function configOf(
  flags: AgentFlags,
  host: Host,
  files: Files,
  { gate }: AgentSecurity,
  facts: Pick<AgentOptions, 'localIp' | 'workDir' | 'oversubscription'> & {
    readonly resources: readonly Resource[];
    readonly containerizer: Pick<Containerizer, 'capabilities' | 'dockerCapabilities'>;
  },
): Promise<AgentOptions> {
  const { resources, containerizer, ...others } = facts;
  const { capabilities, dockerCapabilities } = containerizer;
  const ip = hostOf(host.address);
  const { attributes, domain } = flags;
  return {
    pid: pidOf(ACTOR, host.address),
    info: {
      hostname: flags.hostname ?? (flags.hostname_lookup ? await findHostname(ip) : ip),
      resources,
      ...(attributes === undefined || attributes.length === 0 ? {} : { attributes }),
      checkpoint: true,
      port: Number(host.address.slice(host.address.lastIndexOf(':') + 1)),
      ...(domain === undefined ? {} : { domain }),
    },
    ...others,
    capabilities,
    dockerCapabilities,
    version: buildInfo.version,
    bootId: files.readTextNow(BOOT_ID)?.trim() ?? '',
    recover: flags.recover,
    reconfigurationPolicy: flags.reconfiguration_policy,
    switchUser: flags.switch_user,
    mayRunAs: createRunAsCheck(gate.authorizer),
    httpCommandExecutor: flags.http_command_executor,
    executorEnvironment: flags.executor_environment_variables ?? {},
    sandboxDirectory: flags.sandbox_directory,
    registrationBackoffMs: flags.registration_backoff_factor,
    executorShutdownGraceMs: flags.executor_shutdown_grace_period,
    executorRegistrationTimeoutMs: flags.executor_registration_timeout,
    executorReregistrationTimeoutMs: flags.executor_reregistration_timeout,
    recoveryTimeoutMs: flags.recovery_timeout,
    maxCompletedExecutorsPerFramework: flags.max_completed_executors_per_framework,
    gcDelayMs: flags.gc_delay,
    gcDiskHeadroom: flags.gc_disk_headroom,
    diskWatchIntervalMs: flags.disk_watch_interval,
  };
}
