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
import { type Connection, connectTo, senderTo } from './connection.js';
import { masterEndpoints } from './endpoints.js';
import { extensionCalls } from './extension-client.js';
import { type MasterCalls, masterCalls } from './master-calls.js';
import { operatorCalls } from './operator-client.js';
import { discardBody } from './transport.js';

export function createMasterClient(options: ClientOptions): MasterClient {
  const send = senderTo(options);
  const { path } = masterEndpoints.operator;
  const connection: Connection<MasterCall> = connectTo(options, path, MasterCallCodec, send);
  const calls: OperatorClient<MasterCalls, MasterCall, MasterResponse> = operatorCalls(
    connection,
    masterCalls,
    MasterResponseCodec,
  );
  return {
    ...calls,
    ...extensionCalls(send),
    subscribe: () => connection.open({ type: 'SUBSCRIBE' }, MasterEventCodec),
  };
}

export function createSchedulerClient(options: ClientOptions): SchedulerClient {
  const connection = connectTo(options, masterEndpoints.scheduler.path, SchedulerCallCodec);
  return {
    subscribe: (call, signal) => connection.open(call, SchedulerEventCodec, signal),
    async call(call, streamId, signal) {
      const answered = await connection.call(call, { 'Mesos-Stream-Id': streamId }, signal);
      if (!answered.ok) return answered;
      await discardBody(answered.value);
      return ok(undefined);
    },
  };
}
