// The clients of a master's operator and scheduler APIs.
import { ok } from '@meseta/base';
import type { MasterCall, MasterResponse } from '@meseta/wire';
import {
  MasterCallCodec,
  MasterEventCodec,
  MasterResponseCodec,
  SchedulerCallCodec,
  SchedulerEventCodec,
} from '@meseta/wire/codecs';
import type { ClientOptions, MasterClient, OperatorClient, SchedulerClient } from './client.js';
import { type Connection, connectTo } from './connection.js';
import { masterEndpoints } from './endpoints.js';
import { type MasterCalls, masterCalls } from './master-calls.js';
import { operatorCalls } from './operator-client.js';

export function createMasterClient(options: ClientOptions): MasterClient {
  const connection: Connection<MasterCall> = connectTo(options, masterEndpoints.operator.path, MasterCallCodec);
  const calls: OperatorClient<MasterCalls, MasterCall, MasterResponse> = operatorCalls(
    connection,
    masterCalls,
    MasterResponseCodec,
  );
  return { ...calls, subscribe: () => connection.open({ type: 'SUBSCRIBE' }, MasterEventCodec) };
}

export function createSchedulerClient(options: ClientOptions): SchedulerClient {
  const connection = connectTo(options, masterEndpoints.scheduler.path, SchedulerCallCodec);
  return {
    subscribe: (call) => connection.open(call, SchedulerEventCodec),
    async call(call, streamId) {
      const answered = await connection.call(call, { 'Mesos-Stream-Id': streamId });
      if (!answered.ok) return answered;
      for await (const _ of answered.value.body);
      return ok(undefined);
    },
  };
}
