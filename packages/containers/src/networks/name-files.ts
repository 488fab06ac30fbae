// The files by which the programs of a container find names: /etc/hostname, /etc/hosts and /etc/resolv.conf.
import type { Dns } from './results.js';

export const hostsText = (hostname: string, addresses: readonly string[]): string => {
  const own = addresses.map((address) => `${address}\t${hostname}\n`);
  return `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${own.join('')}`;
};

/** undefined: the plugins name no servers, and the machine's hold. */
export function resolverText(all: readonly Dns[]): string | undefined {
  const nameservers = all.flatMap((dns) => dns.nameservers);
  if (nameservers.length === 0) return undefined;
  const domain = all.find((dns) => dns.domain !== undefined)?.domain;
  const search = all.flatMap((dns) => dns.search);
  const options = all.flatMap((dns) => dns.options);
  const lines = [
    ...(domain === undefined ? [] : [`domain ${domain}`]),
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    ...nameservers.map((address) => `nameserver ${address}`),
  ];
  return `${lines.join('\n')}\n`;
}
