// The executor API of a simulated agent: requests that wait for the core's answer, and streams of events to executors.
//
// SIMULATED-EXECUTOR-API-1: a request is answered once: by `reply`, or by `open` and then events.
// SIMULATED-EXECUTOR-API-2: the core is notified once of a stream that its executor closed, and not of one that it closed.
import type { AgentInput, ConnectionId } from '@meseta/agent/core/io';
import type { ExecutorCall, ExecutorEvent } from '@meseta/wire';
import { ExecutorCallCodec, ExecutorEventCodec } from '@meseta/wire/codecs';
import { freeze } from '../engine/freeze.js';
import type { End, Handlers } from '../engine/network.js';
import { roundTrip } from './http.js';

export type ExecutorResponse =
  | { readonly kind: 'reply'; readonly status: number }
  | { readonly kind: 'opened' }
  | { readonly kind: 'event'; readonly event: ExecutorEvent };

export const transmitCall = (call: ExecutorCall, encoded: boolean): ExecutorCall =>
  encoded ? roundTrip(ExecutorCallCodec, call) : freeze(call);

const transmitEvent = (event: ExecutorEvent, encoded: boolean): ExecutorEvent =>
  encoded ? roundTrip(ExecutorEventCodec, event) : freeze(event);

export interface ExecutorApi {
  /** A connection on which an executor sends calls in sequence. */
  accept(end: End): Handlers;
  reply(connection: ConnectionId, status: number): void;
  open(connection: ConnectionId): void;
  event(connection: ConnectionId, event: ExecutorEvent): void;
  close(connection: ConnectionId): void;
}

export function createExecutorApi(encoded: boolean, push: (input: AgentInput) => void): ExecutorApi {
  const requests = new Map<ConnectionId, End>();
  const streams = new Map<ConnectionId, End>();
  let next = 0;
  return {
    accept(end) {
      const own: ConnectionId[] = [];
      return {
        data(payload) {
          const connection = String(next++) as ConnectionId;
          own.push(connection);
          requests.set(connection, end);
          push({ kind: 'executorCall', connection, call: payload as ExecutorCall });
        },
        ended() {
          for (const connection of own) {
            requests.delete(connection);
            if (streams.delete(connection)) push({ kind: 'streamClosed', connection });
          }
        },
      };
    },
    reply(connection, status) {
      requests.get(connection)?.write({ kind: 'reply', status });
      requests.delete(connection);
    },
    open(connection) {
      const end = requests.get(connection);
      requests.delete(connection);
      if (end === undefined) {
        // The executor closed the connection before the response.
        push({ kind: 'streamClosed', connection });
        return;
      }
      streams.set(connection, end);
      end.write({ kind: 'opened' });
    },
    event(connection, event) {
      streams.get(connection)?.write({ kind: 'event', event: transmitEvent(event, encoded) });
    },
    close(connection) {
      streams.get(connection)?.close();
      streams.delete(connection);
    },
  };
}
