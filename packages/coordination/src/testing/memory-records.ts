// Records in memory whose writes a test can fail.
import assert from 'node:assert/strict';
import { err, ok } from '@meseta/base';
import type { FencedRecords } from '../record-log.js';
import type { StoreError } from '../types.js';

export function memoryRecords() {
  const values = new Map<string, Buffer>();
  /** The number of the write that set the record, as etcd's revisions. */
  const versions = new Map<string, number>();
  const outside = { writesLeft: Number.POSITIVE_INFINITY, underWay: 0, mostUnderWay: 0, lists: 0, listMs: 0 };
  /** The names that were read, in order. */
  const reads: string[] = [];
  const failure: StoreError = { code: 'unknownOutcome', text: 'the connection was lost' };
  let writes = 0;
  const records: FencedRecords = {
    async list() {
      outside.lists++;
      if (outside.listMs > 0) await new Promise((resolve) => setTimeout(resolve, outside.listMs));
      return ok([...values.keys()].map((name) => ({ name, version: String(versions.get(name)) })));
    },
    async get(name) {
      reads.push(name);
      const value = values.get(name);
      return value === undefined ? err({ code: 'unavailable', text: `${name} is missing` }) : ok(value);
    },
    async write(changes) {
      outside.underWay++;
      outside.mostUnderWay = Math.max(outside.mostUnderWay, outside.underWay);
      await new Promise(setImmediate);
      outside.underWay--;
      if (outside.writesLeft-- <= 0) return err(failure);
      writes++;
      for (const change of changes) {
        versions.set(change.name, writes);
        if (change.kind === 'remove') assert.ok(values.delete(change.name));
        else {
          assert.equal(values.has(change.name), change.kind === 'replace', change.name);
          values.set(change.name, Buffer.from(change.value));
        }
      }
      return ok(undefined);
    },
  };
  return { values, outside, reads, records };
}
