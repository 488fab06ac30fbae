// Addresses of ZooKeeper: `zk://user:password@host1:port1,host2:port2/path` (Mesos: docs/high-availability.md).
import type { Result } from '@meseta/base';
import { type AddressForm, parseServiceAddress, type ServiceAddress } from '../service-address.js';

export type ZooKeeperAddress = ServiceAddress;

const FORM: AddressForm = {
  scheme: 'zk',
  defaultPort: 2181,
  expected: 'expected zk://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH, USER:PASSWORD@ being optional',
};

/** The error names the part and never contains the password. */
export const parseZooKeeperAddress = (text: string): Result<ZooKeeperAddress, string> =>
  parseServiceAddress(text, FORM);
