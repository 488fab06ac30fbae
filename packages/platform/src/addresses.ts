// Addresses of hosts in canonical form: IPv4-mapped IPv6 addresses are IPv4 addresses, and all spellings of an IPv6 address
// are equal.
import { isIP } from 'node:net';

export const withoutMapping = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.)/i, '');

/** The canonical spelling; undefined if the text is no address. */
export function canonicalIp(text: string): string | undefined {
  const ip = withoutMapping(text.replace(/^\[(.*)\]$/, '$1'));
  switch (isIP(ip)) {
    case 4:
      return ip;
    case 6:
      return new URL(`http://[${ip.replace(/%.*$/, '')}]`).host.slice(1, -1);
    default:
      return undefined;
  }
}

/** Whether it is the address of a host, which `0.0.0.0` and `::` are not. */
export const isAddress = (host: string): boolean => !['0.0.0.0', '::', undefined].includes(canonicalIp(host));

/** `ip:port`, as in pids. */
export const addressOf = (ip: string, port: number): string => `${isIP(ip) === 6 ? `[${ip}]` : ip}:${port}`;
