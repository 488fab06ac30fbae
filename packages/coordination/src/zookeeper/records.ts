// The records of the registry as znodes, written only while the epoch of the term is the newest.
// ZKRECORDS-1: each write is one transaction that first checks the version of the epoch's znode, which every term increases.
// ZKRECORDS-2: a write whose answer was lost has an unknown outcome.
import { err, ok, type Result } from '@meseta/base';
import type { FencedRecords, RecordChange } from '../record-log.js';
import type { StoreError } from '../types.js';
import {
  type Access,
  type Change,
  childrenOperation,
  getOperation,
  transactionOperation,
  type ZooKeeperError,
} from './protocol.js';
import type { ZnodePaths } from './registry-path.js';
import type { Session } from './session.js';

export function createZooKeeperRecords(
  session: Pick<Session, 'read' | 'change'>,
  paths: ZnodePaths,
  epoch: number,
  access: Access,
): FencedRecords {
  const pathOf = (name: string): string => `${paths.records}/${name}`;
  const fence: Change = { kind: 'check', path: paths.epoch, version: epoch };
  const toChange = (change: RecordChange): Change => {
    const path = pathOf(change.name);
    if (change.kind === 'create') return { kind: 'create', path, data: change.value, access };
    return change.kind === 'replace' ? { kind: 'setData', path, data: change.value } : { kind: 'delete', path };
  };
  return {
    async names() {
      const names = await session.read(childrenOperation(paths.records, false));
      return names.ok ? names : err(storeError(names.error));
    },
    async get(name) {
      const znode = await session.read(getOperation(pathOf(name)));
      return znode.ok ? ok(znode.value.data) : err(storeError(znode.error));
    },
    async write(changes): Promise<Result<void, StoreError>> {
      const written = await session.change(transactionOperation([fence, ...changes.map(toChange)]));
      return written.ok ? ok(undefined) : err(storeError(written.error));
    },
  };
}

function storeError({ code, text }: ZooKeeperError): StoreError {
  switch (code) {
    case 'connectionLost':
    case 'expired':
      return { code: 'unknownOutcome', text: `the outcome of a write is unknown: ${text}` };
    case 'badVersion':
    case 'closed':
      // The session of the term has ended, so another term may have begun.
      return { code: 'fenced', text: `this master no longer leads: ${text}` };
    default:
      return { code: 'unavailable', text: `ZooKeeper: ${text}` };
  }
}
