// POST /api/v1/executor: checks calls as far as that needs no state of the agent, and passes them to the core.
//
// Owns: the requests that wait for the core's answer, and the streams of events.
// EXECUTOR-API-1: a request is answered once: by `reply`, or by `open` and events.
// EXECUTOR-API-2: `streamClosed` is reported once for a stream that its executor closed or that was cut because the executor
//   read too slowly; not for one that the core closed.
import type { ServerResponse } from 'node:http';
import { checkExecutorCall, decodeBody, responseType } from '@meseta/api';
import { type BodyReader, createStreamWriter, realClock, type StreamWriter } from '@meseta/platform';
import { refuse, sendText } from '@meseta/platform/responses';
import type { ExecutorEvent } from '@meseta/wire';
import { ExecutorCallCodec, ExecutorEventCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import { encodeRecord } from '@meseta/wire/recordio';
import type { AgentInput, ConnectionId } from '../core/io.js';
import type { Exchange } from './http.js';

interface Connection {
  readonly response: ServerResponse;
  /** Of its events. */
  readonly mediaType: MediaType;
  writer: StreamWriter | undefined;
}

export interface ExecutorApi {
  handle(
    bodies: Pick<BodyReader, 'read'>,
    exchange: Pick<Exchange, 'request' | 'response' | 'principal'>,
  ): Promise<void>;
  reply(connection: ConnectionId, status: number, text: string): void;
  open(connection: ConnectionId): void;
  event(connection: ConnectionId, event: ExecutorEvent): void;
  close(connection: ConnectionId): void;
}

export function createExecutorApi(push: (input: AgentInput) => void): ExecutorApi {
  const connections = new Map<ConnectionId, Connection>();
  let next = 0;
  return {
    async handle(bodies, { request, response, principal }) {
      const body = await bodies.read(request);
      if (!body.ok) {
        sendText(response, body.error.status, body.error.message, { Connection: 'close' });
        return;
      }
      const call = decodeBody(request.headers['content-type'], body.value, ExecutorCallCodec);
      if (!call.ok) {
        refuse(response, call.error);
        return;
      }
      const checked = checkExecutorCall(call.value);
      const media = responseType(request.headers.accept);
      if (!checked.ok) refuse(response, checked.error);
      // Only the answer to SUBSCRIBE has a body whose media type matters.
      else if (!media.ok && call.value.type === 'SUBSCRIBE') refuse(response, media.error);
      else {
        const connection = String(next++) as ConnectionId;
        const mediaType = media.ok ? media.value : JSON_TYPE;
        connections.set(connection, { response, mediaType, writer: undefined });
        push({ kind: 'executorCall', connection, call: call.value, claims: principal?.claims });
      }
    },
    reply(id, status, text) {
      const connection = connections.get(id);
      connections.delete(id);
      if (connection !== undefined) sendText(connection.response, status, text);
    },
    open(id) {
      const connection = connections.get(id);
      if (connection === undefined) return;
      connection.response.writeHead(200, {
        'Content-Type': connection.mediaType,
        'Transfer-Encoding': 'chunked',
        'Cache-Control': 'no-store',
      });
      connection.writer = createStreamWriter(connection.response, {
        clock: realClock,
        ended: () => {
          if (connections.delete(id)) push({ kind: 'streamClosed', connection: id });
        },
      });
    },
    event(id, event) {
      const connection = connections.get(id);
      if (connection === undefined) return;
      const json = connection.mediaType === JSON_TYPE;
      const bytes = json ? Buffer.from(ExecutorEventCodec.write(event)) : ExecutorEventCodec.encode(event);
      connection.writer?.write(encodeRecord(bytes));
    },
    close(id) {
      const connection = connections.get(id);
      connections.delete(id);
      connection?.writer?.end();
    },
  };
}
