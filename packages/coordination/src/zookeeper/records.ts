// The records of the registry as znodes, written only while the epoch of the term is the newest.
// ZKRECORDS-1: each write is one transaction that first checks the version of the epoch's znode, which every term increases.
// ZKRECORDS-2: a write whose answer was lost has an unknown outcome.
// ZKRECORDS-3: ZooKeeper lists no versions of children. The version of a record is the transaction that made their parent, so it
//     changes when the registry was removed and made again; within one registry no name has two contents, except that of
//     `current` and of parts of a batch that was never complete.
import { err, ok, type Result } from '@meseta/base';
import type { FencedRecords, RecordChange } from '../record-log.js';
import type { Records } from '../record-names.js';
import type { StoreError } from '../types.js';
import {
  type Access,
  type Change,
  getOperation,
  listOperation,
  transactionOperation,
  type ZooKeeperError,
} from './protocol.js';
import type { ZnodePaths } from './registry-path.js';
import type { Session } from './session.js';

type Reader = Pick<Session, 'read'>;

const pathOf = (paths: ZnodePaths, name: string): string => `${paths.records}/${name}`;

/** Reads without a fence: what a candidate may know before its term. `session` returns the one to use now. */
export const readZooKeeperRecords = (session: () => Reader, paths: ZnodePaths): Records => ({
  async list() {
    const children = await session().read(listOperation(paths.records));
    if (!children.ok) return err(storeError(children.error));
    const version = children.value.parentMadeAt.toString();
    return ok(children.value.names.map((name) => ({ name, version })));
  },
  async get(name) {
    const znode = await session().read(getOperation(pathOf(paths, name)));
    return znode.ok ? ok(znode.value.data) : err(storeError(znode.error));
  },
});

export function createZooKeeperRecords(
  session: Pick<Session, 'read' | 'change'>,
  paths: ZnodePaths,
  epoch: number,
  access: Access,
): FencedRecords {
  const fence: Change = { kind: 'check', path: paths.epoch, version: epoch };
  const toChange = (change: RecordChange): Change => {
    const path = pathOf(paths, change.name);
    if (change.kind === 'create') return { kind: 'create', path, data: change.value, access };
    return change.kind === 'replace' ? { kind: 'setData', path, data: change.value } : { kind: 'delete', path };
  };
  return {
    ...readZooKeeperRecords(() => session, paths),
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
