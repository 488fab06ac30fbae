// The calls of a table with their types: `call('GET_TASKS')`, `call('TEARDOWN', { framework_id })`.
import { ok } from '@meseta/base';
import type { Codec } from '@meseta/wire';
import type { OperatorClient } from './client.js';
import { type Connection, messageOf } from './connection.js';
import { discardBody } from './transport.js';
import type { CallDefinition } from './types.js';

export function operatorCalls<
  Table extends { readonly [type: string]: CallDefinition<Call, Response> },
  Call,
  Response,
>(connection: Connection<Call>, table: Table, responseCodec: Codec<Response>): OperatorClient<Table, Call, Response> {
  const call = async (type: string, argument?: unknown) => {
    const definition = table[type];
    const fields = definition?.request === undefined ? { type } : { type, [definition.request]: argument };
    const answered = await connection.call(fields as Call);
    if (!answered.ok) return answered;
    const field = definition?.response;
    if (field === undefined || field === 'stream') {
      await discardBody(answered.value);
      return ok(undefined);
    }
    const response = await messageOf(answered.value, responseCodec);
    if (!response.ok) return response;
    // An empty result is omitted: the response of GET_WEIGHTS without weights has no field.
    return ok(response.value[field as keyof Response] ?? {});
  };
  return { call } as OperatorClient<Table, Call, Response>;
}
