// The value of `--default_container_dns`.
import { isIP } from 'node:net';
import { err, ok, type Result } from '@meseta/base';
import { valueFlag } from '@meseta/platform';
import type { ContainerDNSInfo } from '@meseta/wire';
import { ContainerDNSInfoCodec } from '@meseta/wire/codecs';

const EXPECTED =
  'expected JSON such as {"mesos": [{"network_mode": "CNI", "network_name": "net", "dns": {"nameservers": ["10.0.0.1"]}}]}';
const MODES = { mesos: ['CNI'], docker: ['BRIDGE', 'USER'] } as const;
/** A word of /etc/resolv.conf. */
const WORD = /^[\x21-\x7e]{1,255}$/;
const MAX_WORDS = 32;

type Entry = NonNullable<ContainerDNSInfo['mesos' | 'docker']>[number];

function problemIn({ network_mode, network_name, dns }: Entry, modes: readonly string[]): string | undefined {
  if (network_mode === undefined || !modes.includes(network_mode))
    return `network_mode: expected ${modes.join(' or ')}`;
  if (network_mode === 'BRIDGE' && network_name !== undefined) return 'network_name: expected without BRIDGE';
  const { nameservers = [], search = [], options = [] } = dns;
  const address = nameservers.find((it) => isIP(it) === 0);
  if (nameservers.length === 0 || address !== undefined) {
    return `dns.nameservers: expected IP addresses, got ${JSON.stringify(address ?? '')}`;
  }
  const words = [...nameservers, ...search, ...options, ...('domain' in dns && dns.domain ? [dns.domain] : [])];
  if (words.length > MAX_WORDS) return `dns: expected at most ${MAX_WORDS} values`;
  return words.every((word) => WORD.test(word)) ? undefined : 'dns: expected words without spaces';
}

function parseDns(text: string): Result<ContainerDNSInfo, string> {
  const parsed = ContainerDNSInfoCodec.parse(text);
  if (!parsed.ok) return err(EXPECTED);
  for (const kind of ['mesos', 'docker'] as const) {
    const seen = new Set<string>();
    for (const [index, entry] of (parsed.value[kind] ?? []).entries()) {
      const key = `${entry.network_mode} ${entry.network_name ?? ''}`;
      const problem = problemIn(entry, MODES[kind]) ?? (seen.has(key) ? 'the network is named twice' : undefined);
      if (problem !== undefined) return err(`${kind}[${index}].${problem}`);
      seen.add(key);
    }
  }
  return ok(parsed.value);
}

export const dnsFlag = (options: { readonly help: string }) =>
  valueFlag(parseDns, ContainerDNSInfoCodec.write, options);
