// Addresses of hosts as they are compared: an IPv4 address that came in through an IPv6 socket is itself, and the spellings
// of one IPv6 address are one.
import { isIP } from 'node:net';

export const withoutMapping = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.)/i, '');

/** One spelling for each address; undefined: no address. */
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

/** Whether something can be sent there: `0.0.0.0` and `::` are addresses of no host. */
export const isAddress = (host: string): boolean => !['0.0.0.0', '::', undefined].includes(canonicalIp(host));

/** `ip:port` as pids have it. */
export const addressOf = (ip: string, port: number): string => `${isIP(ip) === 6 ? `[${ip}]` : ip}:${port}`;
