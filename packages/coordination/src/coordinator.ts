// The coordination services by their addresses: `zk://`, `etcd://` and `etcds://`.
import { err, ok, type Result } from '@meseta/base';
import { parseEtcdAddress } from './etcd/address.js';
import { createEtcdCoordination } from './etcd/coordination.js';
import { readTlsFiles } from './etcd/tls.js';
import { isCoordinatorAddress } from './service-address.js';
import type { Coordination, LogReader } from './types.js';
import { parseZooKeeperAddress } from './zookeeper/address.js';
import { createZooKeeperCoordination } from './zookeeper/coordination.js';

export interface CoordinatorOptions {
  /** How long the service waits for a silent process. */
  readonly sessionTimeoutMs: number;
  /** Called at each change of what keeps this process from its work; the text has no secrets. */
  warn(text: string): void;
}

/** Connects to the service; the connection is kept until the coordination is closed. */
export type OpenCoordinator = (options: CoordinatorOptions) => Coordination & LogReader;

/** Reads the address and the files that it names. The error says what is expected, and never contains the password. */
export function coordinatorAt(text: string): Result<OpenCoordinator, string> {
  if (text.startsWith('zk://')) {
    const address = parseZooKeeperAddress(text);
    return address.ok ? ok((options) => createZooKeeperCoordination({ ...options, address: address.value })) : address;
  }
  if (!isCoordinatorAddress(text)) return err('expected an address that begins with zk://, etcd:// or etcds://');
  const address = parseEtcdAddress(text);
  if (!address.ok) return address;
  const { tls: files, ...rest } = address.value;
  const tls = files === undefined ? ok(undefined) : readTlsFiles(files);
  return tls.ok ? ok((options) => createEtcdCoordination({ ...options, ...rest, tls: tls.value })) : tls;
}
