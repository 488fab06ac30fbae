// A master as a script, for tests: real HTTP on loopback, each call answered as the test says.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SchedulerCall, SchedulerEvent } from '@meseta/wire';
import { SchedulerCallCodec, SchedulerEventCodec } from '@meseta/wire/codecs';
import { encodeRecord } from '@meseta/wire/recordio';

export interface Received {
  readonly call: SchedulerCall;
  readonly headers: IncomingMessage['headers'];
}

export interface OpenStream {
  send(event: SchedulerEvent): void;
  /** Bytes that the socket has not taken. */
  unsent(): number;
  end(): void;
}

export interface ScriptedMaster {
  readonly address: string;
  readonly received: readonly Received[];
  callsOf(type: SchedulerCall['type']): readonly SchedulerCall[];
  close(): Promise<void>;
}

export interface Script {
  /** A status and a text instead of a stream; undefined to open one. */
  onSubscribe?(received: Received, nth: number): Answer | undefined;
  onStream?(stream: OpenStream, nth: number): void;
  onCall?(received: Received): Answer | undefined;
}

interface Answer {
  readonly status: number;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly afterMs?: number;
}

export async function scriptedMaster(script: Script): Promise<ScriptedMaster> {
  const received: Received[] = [];
  let subscriptions = 0;
  const server = createServer((request, response) => {
    bodyOf(request).then((body) => {
      const decoded = SchedulerCallCodec.decode(body);
      if (!decoded.ok) return answer(response, { status: 400, text: 'not a call' });
      const got = { call: decoded.value, headers: request.headers };
      received.push(got);
      if (decoded.value.type !== 'SUBSCRIBE') return answer(response, script.onCall?.(got) ?? { status: 202 });
      const nth = subscriptions++;
      const refusal = script.onSubscribe?.(got, nth);
      if (refusal !== undefined) return answer(response, refusal);
      script.onStream?.(openStream(response, nth), nth);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    received,
    callsOf: (type) => received.map(({ call }) => call).filter((call) => call.type === type),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

const answer = (response: ServerResponse, { status, text = '', headers = {}, afterMs = 0 }: Answer): void => {
  setTimeout(() => response.writeHead(status, headers).end(text), afterMs);
};

function openStream(response: ServerResponse, nth: number): OpenStream {
  response.writeHead(200, { 'Content-Type': 'application/x-protobuf', 'Mesos-Stream-Id': `stream-${nth}` });
  response.flushHeaders();
  return {
    send: (event) => void response.write(encodeRecord(SchedulerEventCodec.encode(event))),
    unsent: () => response.writableLength,
    end: () => void response.end(),
  };
}

export const subscribed = (id: string, heartbeatSeconds = 15): SchedulerEvent => ({
  type: 'SUBSCRIBED',
  subscribed: { framework_id: { value: id }, heartbeat_interval_seconds: heartbeatSeconds },
});

export const update = (taskId: string, state: 'TASK_RUNNING' | 'TASK_FINISHED' = 'TASK_RUNNING'): SchedulerEvent => ({
  type: 'UPDATE',
  update: {
    status: {
      task_id: { value: taskId },
      state,
      agent_id: { value: 'S0' },
      uuid: Buffer.alloc(16, 7).toString('base64'),
    },
  },
});
