// Addresses of etcd: `etcd://user:password@host1:port1,host2:port2/prefix`, and with TLS
// `etcds://...?ca=FILE&cert=FILE&key=FILE`.
import { err, ok, type Result } from '@meseta/base';
import { type AddressForm, parseServiceAddress, type ServiceAddress } from '../service-address.js';

/** Paths of PEM files. Without `ca` the system's certificate authorities are trusted. */
export interface EtcdTlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface EtcdAddress extends ServiceAddress {
  /** Undefined: plain HTTP. */
  readonly tls: EtcdTlsFiles | undefined;
}

const EXPECTED =
  'expected etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/PREFIX, USER:PASSWORD@ being optional, or with TLS etcds://...?ca=FILE&cert=FILE&key=FILE';
const formOf = (scheme: string): AddressForm => ({ scheme, defaultPort: 2379, expected: EXPECTED });
const FILES = ['ca', 'cert', 'key'] as const;

/** The error names the part and never contains the password. */
export function parseEtcdAddress(text: string): Result<EtcdAddress, string> {
  const hasTls = text.startsWith('etcds://');
  const query = queryOf(text);
  const address = parseServiceAddress(query < 0 ? text : text.slice(0, query), formOf(hasTls ? 'etcds' : 'etcd'));
  if (!address.ok) return address;
  const options = query < 0 ? '' : text.slice(query + 1);
  if (!hasTls) {
    return options === ''
      ? ok({ ...address.value, tls: undefined })
      : err(`${EXPECTED}; the files need etcds:// in place of etcd://`);
  }
  const tls = parseFiles(options);
  return tls.ok ? ok({ ...address.value, tls: tls.value }) : tls;
}

/** Where the query begins: a password may contain a question mark, and the path of a file an @. */
function queryOf(text: string): number {
  const files = text.search(/\?(?:ca|cert|key)=/);
  return files < 0 ? text.indexOf('?', text.lastIndexOf('@') + 1) : files;
}

function parseFiles(query: string): Result<EtcdTlsFiles, string> {
  const given = new URLSearchParams(query);
  const files: { -readonly [K in keyof EtcdTlsFiles]: string } = {};
  for (const [name, file] of given) {
    const known = FILES.find((each) => each === name);
    if (known === undefined || file === '' || files[known] !== undefined)
      return err(`${EXPECTED}; ${JSON.stringify(name)} is none of ca, cert and key, has no file, or is given twice`);
    files[known] = file;
  }
  return (files.cert === undefined) === (files.key === undefined)
    ? ok(files)
    : err(`${EXPECTED}; cert and key are needed together`);
}
