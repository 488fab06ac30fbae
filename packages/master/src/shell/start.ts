// Starts a master: opens its registry and its port, creates its core and connects them.
import { randomBytes } from 'node:crypto';
import { totalmem } from 'node:os';
import type { Metrics } from '@meseta/api';
import { createLoop, err, type Loop, ok, pidOf, present, type Result, seededRandom } from '@meseta/base';
import type { Coordination } from '@meseta/coordination';
import { createBodyReader, createRenderQueue, type RenderQueue, realClock } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { cryptoRandom } from '@meseta/platform/crypto-random';
import { createLoggingLevel } from '@meseta/platform/logging-level';
import { peerMetrics } from '@meseta/platform/peer-flags';
import { createProcessStats } from '@meseta/platform/process-stats';
import type { MasterInfo } from '@meseta/wire';
import type { MasterEffect, MasterInput } from '../core/io.js';
import { createMaster, type MasterCore } from '../core/machine.js';
import type { ProcessFacts } from '../views/facts.js';
import { createMasterTimings, type MasterTimings, metricsOf } from '../views/metrics.js';
import { type ApproverOf, createApprovers } from './approver-of.js';
import { attachedFiles, attachedFilesFor, findRootFor } from './attached-files.js';
import type { MasterConfig } from './configuration.js';
import { openCoordination } from './coordination.js';
import { createPerformer, type EffectTargets } from './effects.js';
import { createHandlers } from './handlers.js';
import { createRequestHandler } from './http.js';
import { masterInfoOf } from './identity.js';
import { createLeadership, type Leadership } from './leadership.js';
import { createOperatorStreams, type OperatorStreams } from './operator-streams.js';
import { createPeerGate } from './peer-gate.js';
import { type MasterPort, openPort, type PortHandlers } from './port.js';
import { type Cuts, createCuts, createInvalidCalls, processMetrics, timedStep } from './process-metrics.js';
import { createRegistryLog, type RegistryLog } from './registry-log.js';
import { createRequests, type Requests } from './requests.js';
import { createSchedulerApi } from './scheduler-api.js';
import { createSchedulerFastPath } from './scheduler-fast-path.js';

export interface RunningMaster {
  /** `ip:port` */
  readonly address: string;
  stop(): Promise<void>;
}

export interface StartError {
  readonly code: 'addressInUse' | 'listenFailed' | 'registryFailed';
  readonly text: string;
}

/**
 * Resolves once the master listens; it leads once it is elected and has read the registry. `onExit` is called when it cannot go
 * on.
 */
export async function startMaster(
  config: MasterConfig,
  onExit: (message: string) => void,
): Promise<Result<RunningMaster, StartError>> {
  const coordination = await openCoordination(config);
  if (!coordination.ok) return err({ code: 'registryFailed', text: coordination.error });
  const port = await openPort(config);
  if (!port.ok) {
    await coordination.value.close();
    return port;
  }
  const running = connect(config, port.value, coordination.value, onExit);
  running.lead().catch((cause: unknown) => onExit(cause instanceof Error ? cause.message : String(cause)));
  return ok({ address: port.value.host.address, stop: running.stop });
}

/** The least memory for kept renderings. */
const MIN_KEPT_BYTES = 64 * 2 ** 20;

interface Connected {
  lead(): Promise<void>;
  stop(): Promise<void>;
}

function connect(
  config: MasterConfig,
  port: MasterPort,
  coordination: Coordination,
  onExit: (message: string) => void,
): Connected {
  const [{ host }, { log }, clock] = [port, config, realClock];
  const info = masterInfoOf(config, host.address);
  const master: MasterCore = createMaster(
    { info, pid: pidOf('master', host.address) },
    config.options,
    seededRandom(randomBytes(4).readUInt32LE()),
    cryptoRandom(),
  );
  const push = (input: MasterInput): void => loop.push(input);
  const timings = createMasterTimings();
  const renders = createRenderQueue({ clock, keptBytes: Math.max(MIN_KEPT_BYTES, totalmem() / 32) });
  const cuts = createCuts(log, host.stats);
  const requests = createRequests({
    clock,
    onStreamClosed: (stream, why) => {
      if (why === 'tooSlow') cuts.count('scheduler', `the scheduler's stream ${stream}`);
      push({ kind: 'streamClosed', stream });
    },
    onStreamBacklog: (stream, isWaiting) => push({ kind: 'streamBacklog', stream, isWaiting }),
  });
  const leadership = createLeadership({ coordination, log, monoMs: () => clock.now().monoMs, onExit });
  let registry: RegistryLog | undefined;
  const approverOf = createApprovers(config.security.gate.authorizer);
  const operators = createOperatorStreams({
    clock,
    renders,
    state: master.state,
    limit: config.maxOperatorStreams,
    approverOf,
    onCut: () => cuts.count('operator', "an operator's stream"),
  });
  const loop = createMasterLoop(master, timings, {
    log,
    host,
    requests,
    isTermOver: leadership.isTermOver,
    registry: () => present(registry, "the term's registry"),
    durableRegistry: () => master.state.registrar.durable,
    onNote: operators.note,
    onExit,
  });
  const peers = createPeerGate({ security: config.security.peers, state: master.state, host, clock, log, push });
  port.serve({
    ...peers,
    ...requestHandlers({
      config,
      info,
      master,
      timings,
      requests,
      renders,
      operators,
      approverOf,
      cuts,
      peerCounters: () => peers.counters(),
      portMetrics: () => peerMetrics(host.stats),
      inputsWaiting: () => loop.queuedInputs,
      leadership,
      push,
    }),
  });

  return {
    async lead() {
      const onPersisted = (): void => push({ kind: 'persisted' });
      registry = createRegistryLog({ log: await leadership.contend(info), timings, onPersisted, onFailure: onExit });
      const contents = await registry.read();
      if (contents.ok) push({ kind: 'elected', registry: contents.value });
      else onExit(`the registry can't be read: ${contents.error.text}`);
    },
    async stop() {
      peers.close();
      loop.stop();
      requests.closeAll();
      operators.closeAll();
      renders.clear();
      await host.close();
      await leadership.close();
    },
  };
}

function createMasterLoop(master: MasterCore, timings: MasterTimings, targets: EffectTargets): Loop<MasterInput> {
  return createLoop<MasterInput, MasterEffect>({
    step: timedStep(master, timings),
    nextDeadline: master.nextDeadline,
    hasWork: master.hasWork,
    perform: createPerformer(targets),
    tick: { kind: 'tick' },
    continue: { kind: 'continue' },
    clock: realClock,
  });
}

interface RequestParts {
  readonly config: MasterConfig;
  readonly info: MasterInfo;
  readonly master: MasterCore;
  readonly timings: MasterTimings;
  readonly requests: Requests;
  readonly renders: RenderQueue;
  readonly operators: OperatorStreams;
  readonly approverOf: ApproverOf;
  readonly cuts: Cuts;
  peerCounters(): ReadonlyMap<string, number>;
  portMetrics(): Metrics;
  inputsWaiting(): number;
  readonly leadership: Leadership;
  push(input: MasterInput): void;
}

function requestHandlers(parts: RequestParts): Pick<PortHandlers, 'onRequest' | 'tryHandleCall'> {
  const { config, info, master, timings, requests, renders, operators, leadership, push } = parts;
  const { state } = master;
  const startedAtMs = Date.now();
  const facts: ProcessFacts = { build: buildInfo, info, startedAtMs, cluster: config.cluster, flags: config.flags };
  const invalid = createInvalidCalls();
  const processStats = createProcessStats();
  const attached = attachedFiles(config.logFile);
  const isLeading = (): boolean => state.recovered && !leadership.isTermOver();
  const bodies = createBodyReader();
  const scheduler = createSchedulerApi({ bodies, requests, push, onInvalid: invalid.count });
  const { gate } = config.security;
  const handlers = createHandlers({
    bodies,
    requests,
    scheduler,
    renders,
    facts,
    approverOf: parts.approverOf,
    authorizer: config.security.gate.authorizer,
    leader: leadership.leader,
    logging: createLoggingLevel(config.log, realClock),
    attached: attachedFilesFor(attached, config.security.gate.authorizer),
    filesFor: findRootFor(attached, config.security.gate.authorizer),
    state: () => state,
    metrics: () => {
      const measured = {
        leading: isLeading(),
        operatorStreams: operators.open(),
        hasLog: config.registry.kind !== 'memory',
        counters: new Map([...invalid.counters, ...parts.cuts.counters(), ...parts.peerCounters()]),
        timings,
        inputsWaiting: parts.inputsWaiting(),
        renderingsShared: renders.shared,
        process: new Map([...processStats(), ...parts.portMetrics()]),
      };
      return metricsOf(state, processMetrics(startedAtMs, measured), config.perFrameworkMetrics);
    },
    push,
    subscribe: operators.subscribe,
  });
  return {
    onRequest: createRequestHandler({
      handlers,
      gate,
      info,
      isLeading,
      leader: leadership.leader,
      // A view that throws is a broken invariant; the process's handler for uncaught errors ends the process.
      onFailure: (cause) => {
        throw cause;
      },
    }),
    tryHandleCall: createSchedulerFastPath({ gate, requests, handleCall: scheduler.handleCall, isLeading }),
  };
}
