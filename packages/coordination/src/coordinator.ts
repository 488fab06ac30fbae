// The coordination services by their addresses: `zk://` and `etcd://`, and with TLS `zks://` and `etcds://`.
import { err, ok, type Result } from '@meseta/base';
import { parseEtcdAddress } from './etcd/address.js';
import { createEtcdCoordination } from './etcd/coordination.js';
import { isCoordinatorAddress } from './service-address.js';
import { readTlsFiles } from './tls-files.js';
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
  if (!isCoordinatorAddress(text))
    return err('expected an address that begins with zk://, zks://, etcd:// or etcds://');
  const [parse, create] = text.startsWith('zk')
    ? [parseZooKeeperAddress, createZooKeeperCoordination]
    : [parseEtcdAddress, createEtcdCoordination];
  const address = parse(text);
  if (!address.ok) return address;
  const { tls: files, ...rest } = address.value;
  const tls = files === undefined ? ok(undefined) : readTlsFiles(files);
  return tls.ok ? ok((options) => create({ ...options, ...rest, tls: tls.value })) : tls;
}
