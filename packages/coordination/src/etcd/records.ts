// The records of the registry as keys, read and written only while the key of the term exists.
// ETCDRECORDS-1: each read and write is one transaction that first compares the create revision of the term's key. The key
//     goes with its lease, and a later key of the same name has a greater revision.
// ETCDRECORDS-2: a write whose answer was lost has an unknown outcome.
import { err, ok, type Result } from '@meseta/base';
import type { FencedRecords, RecordChange } from '../record-log.js';
import type { ListedRecord, Records } from '../record-names.js';
import type { StoreError } from '../types.js';
import type { EtcdClient, EtcdError } from './client.js';
import { type Change, type EtcdCall, type Fence, getCall, type KeyValue, keysCall, writeCall } from './protocol.js';

const KEYS_TOGETHER = 1000;
const MAX_RECORDS = 1_000_000;

const unavailable = (text: string) => err<StoreError>({ code: 'unavailable', text });
const fenced = (text: string) => err<StoreError>({ code: 'fenced', text: `this master no longer leads: ${text}` });

/** `prefix` ends with a slash. Without a fence: what a candidate may know before its term. */
export function readEtcdRecords(client: Pick<EtcdClient, 'call'>, prefix: string, fence: Fence | undefined): Records {
  const read = async (
    call: EtcdCall<readonly KeyValue[] | 'fenced'>,
  ): Promise<Result<readonly KeyValue[], StoreError>> => {
    const found = await client.call(call);
    if (!found.ok)
      return found.error.code === 'closed' ? fenced(found.error.text) : unavailable(`etcd: ${found.error.text}`);
    return found.value === 'fenced' ? fenced("the key of its term doesn't exist") : ok(found.value);
  };
  return {
    async list() {
      const listed: ListedRecord[] = [];
      for (let from = prefix; ; ) {
        const page = await read(keysCall(fence, prefix, from, KEYS_TOGETHER));
        if (!page.ok) return page;
        for (const { key, setRevision } of page.value) {
          if (key < from || !key.startsWith(prefix))
            return unavailable('etcd: the keys are not in the order that was asked for');
          listed.push({ name: key.slice(prefix.length), version: String(setRevision) });
          from = `${key}\0`;
        }
        if (page.value.length < KEYS_TOGETHER) return ok(listed);
        if (listed.length > MAX_RECORDS) return unavailable(`the registry has more than ${MAX_RECORDS} records`);
      }
    },
    async get(name) {
      const found = await read(getCall(fence, prefix + name));
      if (!found.ok) return found;
      const record = found.value[0];
      return record === undefined ? unavailable(`the registry is damaged: ${name} is missing`) : ok(record.value);
    },
  };
}

/** `prefix` ends with a slash. */
export function createEtcdRecords(client: Pick<EtcdClient, 'call'>, prefix: string, fence: Fence): FencedRecords {
  const toChange = (change: RecordChange): Change =>
    change.kind === 'remove'
      ? { kind: 'delete', key: prefix + change.name }
      : { kind: 'put', key: prefix + change.name, value: change.value };
  return {
    ...readEtcdRecords(client, prefix, fence),
    async write(changes): Promise<Result<void, StoreError>> {
      const written = await client.call(writeCall(fence, changes.map(toChange)));
      if (!written.ok) return err(storeError(written.error));
      return written.value === 'fenced' ? fenced("the key of its term doesn't exist") : ok(undefined);
    },
  };
}

function storeError({ code, text }: EtcdError): StoreError {
  switch (code) {
    case 'unanswered':
      return { code: 'unknownOutcome', text: `the outcome of a write is unknown: ${text}` };
    case 'closed':
      return { code: 'fenced', text: `this master no longer leads: ${text}` };
    case 'refused':
      return { code: 'unavailable', text: `etcd: ${text}` };
  }
}
