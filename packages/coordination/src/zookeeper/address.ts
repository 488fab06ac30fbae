// Addresses of ZooKeeper: `zk://user:password@host1:port1,host2:port2/path` as Mesos has them (docs/high-availability.md), and
// with TLS `zks://...?ca=FILE&cert=FILE&key=FILE`.
import type { Result } from '@meseta/base';
import { type AddressForm, parseServiceAddress, type ServiceAddress } from '../service-address.js';

const FORM: AddressForm = {
  scheme: 'zk',
  defaultPort: 2181,
  // ZooKeeper has no default of its own; its documentation uses this one.
  defaultTlsPort: 2281,
  allowsQuestionMark: true,
  expected:
    'expected zk://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH, USER:PASSWORD@ being optional, or with TLS zks://...?ca=FILE&cert=FILE&key=FILE',
};

/** The error names the part and never contains the password. */
export const parseZooKeeperAddress = (text: string): Result<ServiceAddress, string> => parseServiceAddress(text, FORM);
