// An agent's machine: the real core in a process that can be killed, its disk, and containers that outlive the process.

import type { AgentEffect, AgentInput } from '@meseta/agent/core/io';
import { type AgentCore, createAgent } from '@meseta/agent/core/machine';
import type { AgentOptions } from '@meseta/agent/core/options';
import { optionsOf } from '@meseta/agent/core/testing';
import { type ContainerId, type Pid, pidOf } from '@meseta/base';
import type { ExitStatus } from '@meseta/containers/types';
import type { Attribute, Resource } from '@meseta/wire';
import { between } from '../engine/chance.js';
import { createFakeContainerizer, type FakeContainerizer } from '../engine/containerizer.js';
import { createFakeContainers, type FakeContainers } from '../engine/containers.js';
import { createDisk, type Disk } from '../engine/disk.js';
import { createMachine, type Machine } from '../engine/machine.js';
import { createPeers, type Peers } from '../engine/peers.js';
import { type CoreProcess, startCoreProcess } from '../engine/process.js';
import { coreFailed, type World } from '../world.js';
import type { AgentSize } from './agent-size.js';
import { type ExecutorProcess, startExecutor } from './executor.js';
import { createExecutorApi, type ExecutorApi } from './executor-api.js';
import type { Watcher } from './leader-views.js';
import { masterPid } from './master.js';
import type { Masters } from './masters.js';

export interface AgentNode {
  readonly name: string;
  readonly machine: Machine;
  readonly pid: Pid;
  readonly disk: Disk;
  readonly containers: FakeContainers;
  readonly containerizer: FakeContainerizer;
  /** Frameworks' own executors that run here. */
  readonly executors: ReadonlyMap<ContainerId, ExecutorProcess>;
  size: AgentSize;
  /** Until then launches fail, and the disk is measured as full. */
  diskFullUntilMs: number;
  /** The core of the running process. */
  readonly core: AgentCore | undefined;
  /** `killed` ends the process only, `powerOff` the host with its containers. */
  crash(how: 'killed' | 'powerOff', downMs: number): void;
  start(): void;
  push(input: AgentInput): void;
}

export interface AgentNodeOptions {
  readonly world: World;
  readonly masters: Masters;
  readonly index: number;
  readonly size: AgentSize;
  readonly rate: number;
}

const resourcesOf = ({ cpus, mem, disk }: AgentSize): readonly Resource[] => [
  { name: 'cpus', type: 'SCALAR', scalar: { value: cpus } },
  { name: 'mem', type: 'SCALAR', scalar: { value: mem } },
  { name: 'disk', type: 'SCALAR', scalar: { value: disk } },
  { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 31_099 }] } },
];

const attributesOf = (index: number): readonly Attribute[] => [
  { name: 'rack', type: 'TEXT', text: { value: `r${index % 3}` } },
];

const agentOptionsOf = (node: AgentNode, index: number, boots: number): AgentOptions =>
  optionsOf({
    pid: node.pid,
    localIp: '127.0.0.1',
    info: {
      hostname: node.name,
      resources: resourcesOf(node.size),
      attributes: attributesOf(index),
      checkpoint: true,
      port: 5051,
    },
    bootId: `boot-${boots}`,
    reconfigurationPolicy: 'additive',
  });

interface Process {
  readonly core: AgentCore;
  readonly driven: CoreProcess<AgentInput>;
}

export function createAgentNode({ world, masters, index, size, rate }: AgentNodeOptions): AgentNode {
  const { timeline, network } = world;
  const name = `agent-${index}`;
  const machine = createMachine(name, `10.0.2.${index + 1}:5051`, rate);
  const random = world.random(name);
  const disk = createDisk(timeline, world.random(`${name} disk`), world.encoded);
  const { containers, executors } = createContainers(world, machine, () => node);
  const containerizer = createFakeContainerizer(containers, () =>
    timeline.nowMs() < node.diskFullUntilMs ? 'No space left on device' : undefined,
  );
  let process: Process | undefined;
  let boots = 0;
  let starts = 0;
  let upAtMs = 0;

  const startAt = (atMs: number): void => {
    upAtMs = Math.max(atMs, timeline.nowMs());
    timeline.at(upAtMs, () => {
      if (process === undefined && timeline.nowMs() >= upAtMs) node.start();
    });
  };

  const endProcess = (how: 'killed' | 'exited' | 'powerOff'): void => {
    if (how === 'powerOff') {
      containerizer.powerOff();
      boots++;
    }
    if (process === undefined) return;
    process.driven.stop();
    process = undefined;
    containerizer.endProcess();
    world.count('unsynced writes lost in a crash', disk.crash());
    network.endProcess(machine.address, how === 'powerOff' ? 'silent' : 'reset');
    world.journal.record(name, how);
    for (const observer of world.observers) observer.agentEnded?.(node, how);
  };

  const node: AgentNode = {
    name,
    machine,
    pid: pidOf('slave(1)', machine.address),
    disk,
    containers,
    containerizer,
    executors,
    size,
    diskFullUntilMs: 0,
    get core() {
      return process?.core;
    },
    push: (input) => process?.driven.push(input),
    crash(how, downMs) {
      endProcess(how);
      startAt(timeline.nowMs() + downMs);
    },
    start() {
      const core = createAgent(agentOptionsOf(node, index, boots), world.random(`${name} core ${starts++}`));
      process = startProcess(world, node, core, (message) => {
        world.journal.record(name, 'exits', message);
        endProcess('exited');
        startAt(timeline.nowMs() + between(random, 1_000, 5_000));
      });
      timeline.after(0, () => {
        if (core === process?.core) masters.queryLeader(watcher);
      });
      for (const observer of world.observers) observer.agentStarted?.(node);
    },
  };

  const watcher: Watcher = {
    address: machine.address,
    isListening: () => process !== undefined && timeline.nowMs() >= machine.pausedUntilMs,
    leaderChanged: (leader) =>
      node.push({ kind: 'masterDetected', master: leader === undefined ? undefined : masterPid(leader) }),
  };

  masters.views.watch(watcher);
  startAt(between(random, 0, 3_000));
  return node;
}

/** Creates the containers of a machine, with the processes of frameworks' own executors in them. */
function createContainers(world: World, machine: Machine, node: () => AgentNode) {
  const executors = new Map<ContainerId, ExecutorProcess>();
  const [ip = ''] = machine.address.split(':');
  let nextPort = 20_000;
  const containers = createFakeContainers(world.timeline, world.random(`${machine.name} containers`), {
    started(container) {
      for (const observer of world.observers) observer.containerStarted?.(node(), container);
      const { id, program: spec } = container;
      if (spec === undefined) return;
      const exited = (status: ExitStatus): void => containers.exit(id, status);
      executors.set(id, startExecutor({ world, machine, address: `${ip}:${nextPort++}`, spec, exited }));
    },
    ended(container) {
      for (const observer of world.observers) observer.containerEnded?.(node(), container);
      executors.get(container.id)?.stop(container.status?.kind === 'unknown' ? 'silent' : 'reset');
      executors.delete(container.id);
    },
  });
  return { containers, executors };
}

/** Starts a process on the node's machine. It recovers the checkpoint and the containers of its predecessor. */
function startProcess(world: World, node: AgentNode, core: AgentCore, exited: (message: string) => void): Process {
  const { timeline, network } = world;
  const { name, machine, disk, containerizer } = node;
  const push = (input: AgentInput): void => driven.push(input);
  const peers = createPeers({
    network,
    address: machine.address,
    encoded: world.encoded,
    onMessage: ({ to, from, message }) => to === 'slave(1)' && push({ kind: 'message', from, message }),
    onPeerLost: (address) => push({ kind: 'peerLost', address }),
  });
  const executorApi = createExecutorApi(world.encoded, push);
  const driven = startCoreProcess<AgentInput, AgentEffect>({
    timeline,
    machine,
    core,
    tick: { kind: 'tick' },
    continue: { kind: 'tick' },
    afterStep(input, effects) {
      recordInput(world, name, input);
      for (const observer of world.observers) observer.agentStepped?.(node, input, effects);
    },
    failed: (cause) => coreFailed(world, name, cause),
    perform(effect) {
      if (effect.kind === 'exit') exited(effect.message);
      else perform({ world, node, peers, executorApi, push }, effect);
    },
  });
  network.listen(machine.address, {
    accepted: (end, protocol) => (protocol === 'http' ? executorApi.accept(end) : peers.accept()),
  });
  world.journal.record(name, 'starts');
  const recovered = containerizer.startProcess((event) => push({ kind: 'containerEvent', event }));
  push({ kind: 'start', checkpoint: disk.read(), containers: recovered });
  return { core, driven };
}

interface Ports {
  readonly world: World;
  readonly node: AgentNode;
  readonly peers: Peers;
  readonly executorApi: ExecutorApi;
  push(input: AgentInput): void;
}

/** Performs an effect of the core, as the agent's shell does. */
function perform(
  { world, node, peers, executorApi, push }: Ports,
  effect: Exclude<AgentEffect, { readonly kind: 'exit' }>,
): void {
  const { containerizer, disk, name } = node;
  const isFull = world.timeline.nowMs() < node.diskFullUntilMs;
  switch (effect.kind) {
    case 'send':
      if (effect.message.name !== 'PongAgentMessage') {
        const { name: what, body } = effect.message;
        world.journal.record(name, `-> ${effect.to} ${what}`, body);
      }
      return peers.send(effect.to, 'slave(1)', effect.message);
    case 'link':
      return peers.link(effect.to);
    case 'checkpoint':
      return disk.write(effect.changes, () => push({ kind: 'persisted' }));
    case 'launch':
      return containerizer.input({ kind: 'launch', spec: effect.spec });
    case 'updateContainer':
      return containerizer.input({ ...effect, kind: 'update' });
    case 'signal':
      return containerizer.input(effect);
    case 'destroy':
      return containerizer.input(effect);
    case 'removeContainer':
      return containerizer.input({ kind: 'remove', containerId: effect.containerId });
    case 'probe': {
      const { containerId, check } = effect;
      const result = { kind: 'command', status: { kind: 'exited', code: 0 } } as const;
      world.timeline.after(20, () => push({ kind: 'probeResult', containerId, check, result }));
      return;
    }
    case 'reply':
      return executorApi.reply(effect.connection, effect.status);
    case 'openStream':
      return executorApi.open(effect.connection);
    case 'executorEvent':
      return executorApi.event(effect.connection, effect.event);
    case 'closeStream':
      return executorApi.close(effect.connection);
    case 'measureDisk':
      world.timeline.after(5, () => push({ kind: 'diskUsage', usedShare: isFull ? 1 : 0.2 }));
      return;
    case 'removeSandbox': {
      const { containerId } = effect;
      world.timeline.after(5, () => push({ kind: 'sandboxRemoved', containerId, error: undefined }));
      return;
    }
    case 'volume':
      return;
    case 'log':
      world.journal.record(name, effect.level, effect.text);
      return;
  }
}

function recordInput(world: World, name: string, input: AgentInput): void {
  if (input.kind === 'tick' || input.kind === 'start' || input.kind === 'persisted' || input.kind === 'diskUsage')
    return;
  if (input.kind === 'message') {
    const { from, message } = input;
    if (message.name === 'PingAgentMessage') return;
    world.journal.record(name, `<- ${from} ${message.name}`, message.body);
  } else world.journal.record(name, input.kind, input);
}
