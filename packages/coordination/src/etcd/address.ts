// Addresses of etcd: `etcd://user:password@host1:port1,host2:port2/prefix`, and with TLS
// `etcds://...?ca=FILE&cert=FILE&key=FILE`.
import type { Result } from '@meseta/base';
import { type AddressForm, parseServiceAddress, type ServiceAddress } from '../service-address.js';

const FORM: AddressForm = {
  scheme: 'etcd',
  defaultPort: 2379,
  defaultTlsPort: 2379,
  allowsQuestionMark: false,
  expected:
    'expected etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/PREFIX, USER:PASSWORD@ being optional, or with TLS etcds://...?ca=FILE&cert=FILE&key=FILE',
};

/** The error names the part and never contains the password. */
export const parseEtcdAddress = (text: string): Result<ServiceAddress, string> => parseServiceAddress(text, FORM);
