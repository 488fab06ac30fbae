// Subscribers of the operator API's events in a separate process: readers, of which some measure the delay of each
// TASK_UPDATED, and stalled subscribers, which never read.
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { MasterEventCodec } from '@meseta/wire/codecs';
import { recordReader } from '@meseta/wire/recordio';
import { quantile } from './statistics.js';
import { serveOrders } from './workers.js';

export type SubscribersOrder =
  | { readonly kind: 'subscribe'; readonly address: string; readonly readers: number; readonly stalled: number }
  /** Resets the figures. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'report' }
  /** Closes all readers but the first `readers`. */
  | { readonly kind: 'keep'; readonly readers: number };

/** The delays of events in milliseconds: from the update's timestamp, which its agent sets, until a reader has it. */
export interface Received {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The mean number of events that a measuring reader received. */
  readonly events: number;
  /** Readers whose stream has ended. */
  readonly ended: number;
}

/** The number of readers that decode events and measure their delays. */
const SAMPLED = 10;
const BODY = '{"type":"SUBSCRIBE"}';
const HEADERS = { 'Content-Type': 'application/json', Accept: 'application/x-protobuf' };
const MAX_EVENT_BYTES = 2 ** 28;

interface Reader {
  ended: boolean;
  close(): void;
}

const readers: Reader[] = [];
const sampled = { late: [] as number[], events: 0 };
/** The other readers drop the bytes, so that all of their sockets share one buffer. */
const scratch = Buffer.alloc(1 << 18);

function subscribeRaw(address: string, reads: boolean): Promise<Socket> {
  const [host, port] = address.split(':') as [string, string];
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /api/v1 HTTP/1.1\r\nHost: ${address}\r\n${lines.join('')}Content-Length: ${BODY.length}\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const callback = (): boolean => {
      resolve(socket);
      return true;
    };
    const onread = { buffer: scratch, callback };
    const socket: Socket = connect({ host, port: Number(port), ...(reads ? { onread } : {}) }, () => {
      socket.write(head + BODY);
      if (!reads) resolve(socket);
    });
    if (!reads) socket.pause();
    socket.on('error', reject);
  });
}

/** A reader that decodes every event. */
function subscribeSampled(address: string): Promise<Reader> {
  const [host, port] = address.split(':') as [string, string];
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, method: 'POST', path: '/api/v1', headers: HEADERS, agent: false }, (stream) => {
      const reader: Reader = { ended: false, close: () => void stream.destroy() };
      const records = recordReader(MAX_EVENT_BYTES);
      stream.on('error', () => {});
      stream.on('close', () => {
        reader.ended = true;
      });
      stream.on('data', (chunk: Buffer) => {
        const nowMs = performance.timeOrigin + performance.now();
        const read = records.push(chunk);
        for (const record of read.ok ? read.value : []) {
          const event = MasterEventCodec.decode(record);
          const sentSeconds = event.ok ? event.value.task_updated?.status.timestamp : undefined;
          sampled.events++;
          if (sentSeconds !== undefined) sampled.late.push(nowMs - sentSeconds * 1000);
        }
      });
      resolve(reader);
    });
    asked.on('error', reject);
    asked.end(BODY);
  });
}

async function subscribe(address: string, count: number, stalled: number): Promise<object> {
  for (let at = 0; at < count; at++) {
    if (at < SAMPLED) {
      readers.push(await subscribeSampled(address));
      continue;
    }
    const socket = await subscribeRaw(address, true);
    const reader: Reader = { ended: false, close: () => void socket.destroy() };
    socket.on('close', () => {
      reader.ended = true;
    });
    readers.push(reader);
  }
  for (let at = 0; at < stalled; at++) await subscribeRaw(address, false);
  return {};
}

function begin(): object {
  sampled.late = [];
  sampled.events = 0;
  return {};
}

const report = (): Received => ({
  p50: quantile(sampled.late, 0.5),
  p99: quantile(sampled.late, 0.99),
  max: quantile(sampled.late, 1),
  events: sampled.events / Math.min(SAMPLED, readers.length),
  ended: readers.filter(({ ended }) => ended).length,
});

function keep(count: number): object {
  for (const { close } of readers.splice(count)) close();
  return {};
}

serveOrders<SubscribersOrder, Received | object>((order) => {
  switch (order.kind) {
    case 'subscribe':
      return subscribe(order.address, order.readers, order.stalled);
    case 'begin':
      return begin();
    case 'report':
      return report();
    case 'keep':
      return keep(order.readers);
  }
});
