// A master on a port and a coordination: creates the core and connects it with its shell.
//
// Boundary: everything that it owns is its own, so that a process can have two: the one that serves, and the one of a
// rehearsal (rehearsal/rehearsal.ts). What exists once in a process is given to it.
import { randomBytes } from 'node:crypto';
import { totalmem } from 'node:os';
import type { Metrics } from '@meseta/api';
import { createLoop, type Loop, pidOf, present, seededRandom } from '@meseta/base';
import type { Coordination } from '@meseta/coordination';
import { createBodyReader, createRenderQueue, type RenderQueue, realClock } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { cryptoRandom } from '@meseta/platform/crypto-random';
import { createLoggingLevel } from '@meseta/platform/logging-level';
import { peerMetrics } from '@meseta/platform/peer-flags';
import type { ProcessStats } from '@meseta/platform/process-stats';
import type { MasterInfo } from '@meseta/wire';
import type { MasterEffect, MasterInput } from '../core/io.js';
import { createMaster, type MasterCore } from '../core/machine.js';
import type { MasterState } from '../core/state.js';
import type { ProcessFacts } from '../views/facts.js';
import { createMasterTimings, type MasterTimings, metricsOf } from '../views/metrics.js';
import { type ApproverOf, createApprovers } from './approver-of.js';
import { attachedFiles, attachedFilesFor, findRootFor } from './attached-files.js';
import type { MasterConfig } from './configuration.js';
import { createPerformer, type EffectTargets } from './effects.js';
import { createHandlers } from './handlers.js';
import { createRequestHandler } from './http.js';
import { masterInfoOf } from './identity.js';
import { createLeadership, type Leadership } from './leadership.js';
import { createOperatorStreams, type OperatorStreams } from './operator-streams.js';
import { createPeerGate } from './peer-gate.js';
import type { MasterPort, PortHandlers } from './port.js';
import { type Cuts, createCuts, createInvalidCalls, processMetrics, timedStep } from './process-metrics.js';
import { createRegistryLog, type RegistryLog } from './registry-log.js';
import { createRequests, type Requests } from './requests.js';
import { createSchedulerApi } from './scheduler-api.js';
import { createSchedulerFastPath } from './scheduler-fast-path.js';

/** The least memory for kept renderings. */
const MIN_KEPT_BYTES = 64 * 2 ** 20;

export interface ConnectedMaster {
  readonly state: MasterState;
  /** Contends, and reads the registry once it is elected. `onElected` is called before the registry is read. */
  lead(onElected: () => void): Promise<void>;
  stop(): Promise<void>;
}

export interface MasterParts {
  readonly config: MasterConfig;
  readonly port: MasterPort;
  readonly coordination: Coordination;
  /** The metrics of the process. */
  readonly processStats: ProcessStats;
  /** Called when the master cannot go on. */
  onExit(message: string): void;
}

export function connectMaster({ config, port, coordination, processStats, onExit }: MasterParts): ConnectedMaster {
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
  const requests = createMasterRequests(cuts, push);
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
      processStats,
      leadership,
      push,
    }),
  });

  return {
    state: master.state,
    async lead(onElected) {
      const onPersisted = (): void => push({ kind: 'persisted' });
      const termLog = await leadership.contend(info);
      onElected();
      registry = createRegistryLog({ log: termLog, timings, onPersisted, onFailure: onExit });
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

const createMasterRequests = (cuts: Cuts, push: (input: MasterInput) => void): Requests =>
  createRequests({
    clock: realClock,
    onStreamClosed: (stream, why) => {
      if (why === 'tooSlow') cuts.count('scheduler', `the scheduler's stream ${stream}`);
      push({ kind: 'streamClosed', stream });
    },
    onStreamBacklog: (stream, isWaiting) => push({ kind: 'streamBacklog', stream, isWaiting }),
  });

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
  readonly processStats: ProcessStats;
  readonly leadership: Leadership;
  push(input: MasterInput): void;
}

function requestHandlers(parts: RequestParts): Pick<PortHandlers, 'onRequest' | 'tryHandleCall'> {
  const { config, info, master, timings, requests, renders, operators, leadership, push } = parts;
  const { state } = master;
  const startedAtMs = Date.now();
  const facts: ProcessFacts = { build: buildInfo, info, startedAtMs, cluster: config.cluster, flags: config.flags };
  const invalid = createInvalidCalls();
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
        process: new Map([...parts.processStats(), ...parts.portMetrics()]),
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
