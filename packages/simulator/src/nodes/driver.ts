// The transport of a scheduler on a v0 driver: libprocess messages as libmesos sends them or, if `old`, as it did before
// `scheduler.Call`. The scheduler receives the same events as over HTTP.
//
// SIMULATED-DRIVER-1: delivery is at most once; a registration is repeated until the master answers, nothing else is.
// SIMULATED-DRIVER-2: it drops messages from processes other than the master that it registers with, except messages of
//     executors.
import { addressOfPid, type Pid } from '@meseta/base';
import type { StreamId } from '@meseta/master/core/io';
import type { LibprocessMessage, SchedulerCall, SchedulerEvent } from '@meseta/wire';
import type { Machine } from '../engine/machine.js';
import type { End, Handlers } from '../engine/network.js';
import { createPeers } from '../engine/peers.js';
import type { World } from '../world.js';
import type { HttpRequest, HttpResponse } from './http.js';
import { masterPid } from './master.js';

/** Connects a scheduler to the leading master: for its subscription, and for each call. */
export type Dial = (leader: Machine, handlers: Handlers) => End;

/** The driver's settings. */
export interface DriverOptions {
  readonly world: World;
  readonly address: string;
  readonly name: string;
  readonly old: boolean;
  stopped(): boolean;
}

interface Session {
  readonly master: Pid;
  readonly handlers: Handlers;
  registered: boolean;
}

const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;

export function createDriver({ world, address, name, old, stopped }: DriverOptions): Dial {
  let session: Session | undefined;
  /** This process was registered before: it re-registers instead of failing over. */
  let wasRegistered = false;
  const deliver = (to: Session, answer: HttpResponse): void => to.handlers.data(answer);

  const peers = createPeers({
    network: world.network,
    address,
    encoded: world.encoded,
    onMessage({ from, message }) {
      if (session === undefined || (from !== session.master && message.name !== 'ExecutorToFrameworkMessage')) return;
      const event = eventOf(message);
      if (event === undefined) return;
      if (event.type === 'SUBSCRIBED') {
        session.registered = true;
        wasRegistered = true;
        deliver(session, { kind: 'opened', stream: address as StreamId });
      }
      deliver(session, { kind: 'event', event });
    },
    onPeerLost(lost) {
      const ended = session;
      if (ended === undefined || addressOfPid(ended.master) !== lost) return;
      session = undefined;
      ended.handlers.ended('broken');
    },
  });
  world.network.listen(address, { accepted: () => peers.accept() });

  const send = (master: Pid, call: SchedulerCall): void => {
    const message = (old ? oldMessageOf(call, wasRegistered) : undefined) ?? messageOf(call, wasRegistered);
    peers.send(master, `scheduler-${name}`, message);
  };

  const register = (own: Session, call: SchedulerCall, retryMs: number): void => {
    if (session !== own || own.registered || stopped()) return;
    peers.link(own.master);
    send(own.master, call);
    world.timeline.after(retryMs, () => register(own, call, Math.min(retryMs * 2, LAST_RETRY_MS)));
  };

  return (leader, handlers) => {
    const own: Session = { master: masterPid(leader), handlers, registered: false };
    return {
      remote: leader.address,
      write(payload) {
        const request = payload as HttpRequest;
        if (request.kind !== 'schedulerCall') return;
        if (request.call.type !== 'SUBSCRIBE') send(own.master, request.call);
        else {
          session = own;
          own.registered = false;
          register(own, request.call, FIRST_RETRY_MS);
        }
      },
      close() {
        if (session === own) session = undefined;
      },
    };
  };
}

function messageOf(call: SchedulerCall, wasRegistered: boolean): LibprocessMessage {
  const { subscribe } = call;
  if (subscribe === undefined) return { name: 'SchedulerCall', body: call };
  const force = call.framework_id !== undefined && !wasRegistered;
  return { name: 'SchedulerCall', body: { ...call, subscribe: { ...subscribe, force } } };
}

/** The message that preceded `scheduler.Call`; undefined if there was none for this call. */
function oldMessageOf(call: SchedulerCall, wasRegistered: boolean): LibprocessMessage | undefined {
  const { framework_id, accept, decline, kill, acknowledge, message, subscribe, reconcile } = call;
  if (subscribe !== undefined) {
    const framework = subscribe.framework_info;
    return framework_id === undefined
      ? { name: 'RegisterFrameworkMessage', body: { framework } }
      : { name: 'ReregisterFrameworkMessage', body: { framework, failover: !wasRegistered } };
  }
  if (framework_id === undefined) return undefined;
  if (accept !== undefined && accept.operations?.every(({ type }) => type === 'LAUNCH') === true) {
    const tasks = accept.operations.flatMap(({ launch }) => launch?.task_infos ?? []);
    const { offer_ids, filters = {} } = accept;
    return { name: 'LaunchTasksMessage', body: { framework_id, tasks, filters, offer_ids } };
  }
  if (decline !== undefined) {
    const { offer_ids, filters = {} } = decline;
    return { name: 'LaunchTasksMessage', body: { framework_id, tasks: [], filters, offer_ids } };
  }
  if (kill !== undefined) return { name: 'KillTaskMessage', body: { framework_id, task_id: kill.task_id } };
  if (acknowledge !== undefined) {
    return { name: 'StatusUpdateAcknowledgementMessage', body: { framework_id, ...acknowledge } };
  }
  if (message !== undefined) return { name: 'FrameworkToExecutorMessage', body: { framework_id, ...message } };
  if (reconcile !== undefined) {
    const statuses = (reconcile.tasks ?? []).map((it) => ({ ...it, state: 'TASK_STAGING' as const }));
    return { name: 'ReconcileTasksMessage', body: { framework_id, statuses } };
  }
  return call.type === 'REVIVE' ? { name: 'ReviveOffersMessage', body: { framework_id } } : undefined;
}

function eventOf({ name, body }: LibprocessMessage): SchedulerEvent | undefined {
  switch (name) {
    case 'FrameworkRegisteredMessage':
    case 'FrameworkReregisteredMessage':
      return { type: 'SUBSCRIBED', subscribed: { framework_id: body.framework_id } };
    case 'ResourceOffersMessage':
      return { type: 'OFFERS', offers: { offers: body.offers } };
    case 'RescindResourceOfferMessage':
      return { type: 'RESCIND', rescind: { offer_id: body.offer_id } };
    case 'StatusUpdateMessage': {
      const { status, uuid, agent_id } = body.update;
      const { uuid: _, ...plain } = status;
      const uuidField = uuid === undefined || uuid === '' ? {} : { uuid };
      const agentField = agent_id === undefined ? {} : { agent_id };
      return { type: 'UPDATE', update: { status: { ...plain, ...agentField, ...uuidField } } };
    }
    case 'LostAgentMessage':
      return { type: 'FAILURE', failure: { agent_id: body.agent_id } };
    case 'ExitedExecutorMessage': {
      const { agent_id, executor_id, status } = body;
      return { type: 'FAILURE', failure: { agent_id, executor_id, status } };
    }
    case 'ExecutorToFrameworkMessage': {
      const { agent_id, executor_id, data } = body;
      return { type: 'MESSAGE', message: { agent_id, executor_id, data } };
    }
    case 'FrameworkErrorMessage':
      return { type: 'ERROR', error: { message: body.message } };
    default:
      return undefined;
  }
}
