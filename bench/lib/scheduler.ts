// A light framework over HTTP: protobuf, one event stream, and separate connections for calls.
import { type IncomingMessage, request } from 'node:http';
import type { FrameworkInfo, SchedulerCall, SchedulerEvent, SchedulerEventUpdate } from '@meseta/wire';
import { SchedulerCallCodec, SchedulerEventCodec } from '@meseta/wire/codecs';
import { PROTOBUF_TYPE } from '@meseta/wire/media';
import { recordReader } from '@meseta/wire/recordio';
import { createHttpCalls } from './http-calls.js';

const PATH = '/api/v1/scheduler';
const MAX_EVENT_BYTES = 2 ** 28;

export interface BenchScheduler {
  readonly frameworkId: string;
  readonly info: FrameworkInfo;
  /** The number of calls sent, and their bytes. */
  readonly sent: { calls: number; bytes: number };
  call(call: Omit<SchedulerCall, 'framework_id'>): Promise<void>;
  acknowledge(update: SchedulerEventUpdate): Promise<void>;
  close(): void;
}

export interface BenchSchedulerOptions {
  readonly master: string;
  readonly name: string;
  /** Fails over the framework with this id. */
  readonly frameworkId?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly connections?: number | undefined;
  /** Subscribes with suppressed roles. */
  readonly suppressed?: boolean | undefined;
  onEvent(event: SchedulerEvent, scheduler: BenchScheduler): void;
}

const frameworkInfo = ({ name, roles = ['*'], frameworkId }: BenchSchedulerOptions): FrameworkInfo => ({
  user: 'root',
  name,
  ...(frameworkId === undefined ? {} : { id: { value: frameworkId } }),
  failover_timeout: 3600,
  checkpoint: true,
  capabilities: [
    { type: 'MULTI_ROLE' },
    { type: 'RESERVATION_REFINEMENT' },
    { type: 'PARTITION_AWARE' },
    { type: 'TASK_KILLING_STATE' },
  ],
  roles,
});

function openEvents(options: BenchSchedulerOptions, info: FrameworkInfo): Promise<IncomingMessage> {
  const [host, port] = options.master.split(':') as [string, string];
  const body = SchedulerCallCodec.encode({
    ...(info.id === undefined ? {} : { framework_id: info.id }),
    type: 'SUBSCRIBE',
    subscribe: {
      framework_info: info,
      ...(options.suppressed === true ? { suppressed_roles: info.roles ?? [] } : {}),
    },
  });
  const headers = { 'Content-Type': PROTOBUF_TYPE, Accept: PROTOBUF_TYPE, 'Content-Length': body.length };
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: PATH, method: 'POST', headers }, (response) => {
      if (response.statusCode === 200) resolve(response);
      else reject(new Error(`SUBSCRIBE: ${response.statusCode}`));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Resolves once SUBSCRIBED has arrived; it and all later events are given to `onEvent`. */
export async function subscribe(options: BenchSchedulerOptions): Promise<BenchScheduler> {
  const info = frameworkInfo(options);
  const events = await openEvents(options, info);
  const calls = createHttpCalls(options.master, options.connections ?? 4);
  const headers = `Content-Type: ${PROTOBUF_TYPE}\r\nMesos-Stream-Id: ${String(events.headers['mesos-stream-id'])}\r\n`;
  const sent = { calls: 0, bytes: 0 };
  let frameworkId = '';
  const scheduler: BenchScheduler = {
    get frameworkId() {
      return frameworkId;
    },
    get info() {
      return { ...info, id: { value: frameworkId } };
    },
    sent,
    async call(body) {
      const bytes = SchedulerCallCodec.encode({ framework_id: { value: frameworkId }, ...body });
      sent.calls++;
      sent.bytes += bytes.length;
      const status = await calls.post(PATH, headers, bytes);
      if (status !== 202) throw new Error(`${body.type}: ${status}`);
    },
    async acknowledge({ status: { agent_id, task_id, uuid } }) {
      if (agent_id === undefined || uuid === undefined) return;
      await scheduler.call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
    },
    close() {
      events.destroy();
      calls.close();
    },
  };
  const reader = recordReader(MAX_EVENT_BYTES);
  await new Promise<void>((resolve) => {
    events.on('error', () => {});
    events.on('data', (chunk: Buffer) => {
      const records = reader.push(chunk);
      for (const record of records.ok ? records.value : []) {
        const event = SchedulerEventCodec.decode(record);
        if (!event.ok) throw new Error(`an event that can't be read: ${event.error.message}`);
        if (event.value.subscribed !== undefined) {
          frameworkId = event.value.subscribed.framework_id.value;
          resolve();
        }
        options.onEvent(event.value, scheduler);
      }
    });
  });
  return scheduler;
}
