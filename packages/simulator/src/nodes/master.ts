// A master's process: the real core, whose effects are performed on the simulated network and the shared store.
import type { createAllocator } from '@meseta/allocator';
import { type Pid, pidOf, uuid } from '@meseta/base';
import { callOfDriver } from '@meseta/master/core/driver-calls';
import type { MasterEffect, MasterInput, RequestId, StreamId } from '@meseta/master/core/io';
import { createMaster, type MasterCore } from '@meseta/master/core/machine';
import type { MasterOptions } from '@meseta/master/core/options';
import type { MasterInfo } from '@meseta/wire';
import type { Machine } from '../engine/machine.js';
import type { End, Handlers } from '../engine/network.js';
import { createPeers, type Peers } from '../engine/peers.js';
import { startCoreProcess } from '../engine/process.js';
import type { RegistryStore } from '../engine/registry-store.js';
import { coreFailed, type World } from '../world.js';
import { type HttpRequest, type HttpResponse, transmitResponse } from './http.js';

export interface MasterProcess {
  readonly name: string;
  readonly machine: Machine;
  readonly core: MasterCore;
  /** Of its term. */
  readonly epoch: number;
  readonly running: boolean;
  /** `reset`: the process was killed or ended; `silent`: its host died. */
  stop(how: 'reset' | 'silent'): void;
}

export interface MasterProcessOptions {
  readonly world: World;
  readonly name: string;
  readonly machine: Machine;
  readonly options: MasterOptions;
  readonly store: RegistryStore;
  /** The number of master processes before this one: each has a uuid of its own. */
  readonly incarnation: number;
  readonly makeAllocator: typeof createAllocator;
  onExit(message: string): void;
}

function identityOf(world: World, machine: Machine, incarnation: number): MasterInfo {
  const [ip = '', port = ''] = machine.address.split(':');
  const octets = ip.split('.').map(Number);
  return {
    id: uuid(world.random(`master process ${incarnation}`)),
    ip: ((octets[3] ?? 0) << 24) + ((octets[2] ?? 0) << 16) + ((octets[1] ?? 0) << 8) + (octets[0] ?? 0),
    port: Number(port),
    pid: `master@${machine.address}`,
    hostname: machine.name,
    version: '1.12.0',
    address: { hostname: machine.name, ip, port: Number(port) },
  };
}

export function startMasterProcess(processOptions: MasterProcessOptions): MasterProcess {
  const { world, machine, store, name } = processOptions;
  const info = identityOf(world, machine, processOptions.incarnation);
  const identity = { info, pid: pidOf('master', machine.address) };
  const random = world.random(`master core ${processOptions.incarnation}`);
  const core = createMaster(identity, processOptions.options, random, random, processOptions.makeAllocator);
  const epoch = store.nextEpoch();
  const process: MasterProcess = {
    name,
    machine,
    core,
    epoch,
    get running() {
      return !driven.isStopped;
    },
    stop(how) {
      if (driven.isStopped) return;
      driven.stop();
      world.count('registry writes lost in a crash', store.crash(epoch));
      world.network.endProcess(machine.address, how);
    },
  };
  const push = (input: MasterInput): void => driven.push(input);
  const exit = (message: string): void => {
    world.journal.record(name, 'exits', message);
    process.stop('reset');
    processOptions.onExit(message);
  };
  const peers: Peers = createPeers({
    network: world.network,
    address: machine.address,
    encoded: world.encoded,
    onMessage({ from, message }) {
      // The shell converts the messages of old drivers in the same way.
      const converted = callOfDriver(message);
      if (converted.ok) push({ kind: 'message', from, message: converted.value });
      else peers.send(from, 'master', { name: 'FrameworkErrorMessage', body: { message: converted.error } });
    },
    onPeerLost: (address) => push({ kind: 'peerLost', address }),
  });
  const http = createHttpServer(world, core, push);
  const driven = startCoreProcess<MasterInput, MasterEffect>({
    timeline: world.timeline,
    machine,
    core,
    tick: { kind: 'tick' },
    continue: { kind: 'continue' },
    beforeStep(input) {
      for (const observer of world.observers) observer.beforeMasterStep?.(process, input);
    },
    afterStep(input, effects) {
      recordInput(world, name, input);
      for (const observer of world.observers) observer.masterStepped?.(process, input, effects);
    },
    failed: (cause) => coreFailed(world, name, cause),
    perform(effect) {
      if (effect.kind === 'persist') {
        store.append(epoch, effect.operations, (outcome) => {
          if (outcome === 'written') push({ kind: 'persisted' });
          else if (outcome === 'unknown') exit('the outcome of a write is unknown');
          else {
            world.count('registry writes fenced');
            exit('another master has taken over: this write was fenced');
          }
        });
      } else if (effect.kind === 'exit') exit(effect.message);
      else performOnNetwork(world, name, peers, http, effect);
    },
  });
  world.network.listen(machine.address, {
    accepted: (end, protocol) => (protocol === 'http' ? http.accept(end) : peers.accept()),
  });
  for (const observer of world.observers) observer.masterStarted?.(process);
  push({ kind: 'elected', registry: store.read(epoch) });
  return process;
}

type NetworkEffect = Exclude<MasterEffect, { readonly kind: 'persist' | 'exit' }>;

function performOnNetwork(world: World, name: string, peers: Peers, http: HttpServer, effect: NetworkEffect): void {
  switch (effect.kind) {
    case 'send':
      for (const to of effect.to) {
        world.journal.record(name, `-> ${to} ${effect.message.name}`, effect.message.body);
        peers.send(to, effect.from, effect.message);
      }
      return;
    case 'link':
      peers.link(effect.to);
      return;
    case 'unlink':
      peers.unlink(effect.to);
      return;
    case 'reply':
      http.answer(effect.request, { kind: 'reply', reply: effect.reply });
      return;
    case 'openStream':
      world.journal.record(name, 'opens a stream', effect.stream);
      http.open(effect.request, effect.stream);
      return;
    case 'event':
      if (effect.event.type !== 'HEARTBEAT') {
        world.journal.record(name, `event ${effect.event.type}`, effect.event);
      }
      for (const stream of effect.streams) http.write(stream, { kind: 'event', event: effect.event });
      return;
    case 'closeStream':
      world.journal.record(name, 'closes a stream', effect.stream);
      http.close(effect.stream);
      return;
    case 'note':
      if (effect.note.kind === 'log') world.journal.record(name, effect.note.level, effect.note.text);
      return;
  }
}

interface HttpServer {
  accept(end: End): Handlers;
  answer(request: RequestId, answer: HttpResponse): void;
  open(request: RequestId, stream: StreamId): void;
  write(stream: StreamId, answer: HttpResponse): void;
  close(stream: StreamId): void;
}

/** The unanswered requests and the open streams, as in the master's shell. */
function createHttpServer(world: World, core: MasterCore, push: (input: MasterInput) => void): HttpServer {
  const unanswered = new Map<RequestId, { readonly end: End; opened(stream: StreamId): void }>();
  const streams = new Map<StreamId, End>();
  let next = 0;
  const respondTo = (end: End, answer: HttpResponse): void => end.write(transmitResponse(answer, world.encoded));

  return {
    accept(end) {
      const request = String(next++) as RequestId;
      let stream: StreamId | undefined;
      return {
        data(payload) {
          const received = payload as HttpRequest;
          if (!core.state.recovered) {
            respondTo(end, { kind: 'reply', reply: { status: 503 } });
            end.close();
            return;
          }
          unanswered.set(request, { end, opened: (opened) => (stream = opened) });
          if (received.kind === 'operatorCall') push({ ...received, request, principal: undefined });
          else push({ ...received, request, principal: undefined });
        },
        ended() {
          unanswered.delete(request);
          if (stream !== undefined && streams.delete(stream)) push({ kind: 'streamClosed', stream });
        },
      };
    },
    answer(request, answer) {
      const found = unanswered.get(request);
      unanswered.delete(request);
      if (found === undefined) return;
      respondTo(found.end, answer);
      found.end.close();
    },
    open(request, stream) {
      const found = unanswered.get(request);
      unanswered.delete(request);
      if (found === undefined) {
        // The client closed the connection before the response: the stream that was opened for it is closed at once.
        push({ kind: 'streamClosed', stream });
        return;
      }
      found.opened(stream);
      streams.set(stream, found.end);
      respondTo(found.end, { kind: 'opened', stream });
    },
    write(stream, answer) {
      const end = streams.get(stream);
      if (end !== undefined) respondTo(end, answer);
    },
    close(stream) {
      streams.get(stream)?.close();
      streams.delete(stream);
    },
  };
}

function recordInput(world: World, name: string, input: MasterInput): void {
  switch (input.kind) {
    case 'message':
      world.journal.record(name, `<- ${input.from} ${input.message.name}`, input.message.body);
      return;
    case 'schedulerCall':
    case 'operatorCall':
      world.journal.record(name, `call ${input.call.type}`, input.call);
      return;
    case 'tick':
    case 'continue':
      return;
    default:
      world.journal.record(name, input.kind, 'registry' in input ? undefined : input);
  }
}

export const masterPid = (machine: Machine): Pid => pidOf('master', machine.address);
