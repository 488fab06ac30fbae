// Results and errors of plugins (the specification of CNI, version 1.0.0, "Result types"; older versions name addresses by
// `ip4` and `ip6`).
import { err, ok, type Result } from '@meseta/base';
import { isObject, type Json, type JsonObject, listOf, parseObject } from '../operator-json.js';

const MAX_ADDRESSES = 64;
const MAX_DNS_ENTRIES = 32;
const MAX_MESSAGE = 500;

export interface Dns {
  readonly nameservers: readonly string[];
  readonly domain: string | undefined;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface Addressing {
  /** Without the lengths of their prefixes. */
  readonly addresses: readonly string[];
  readonly dns: Dns;
}

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const IPV6 = /^[0-9A-Fa-f:.]{2,45}$/;
const isAddress = (text: string): boolean => IPV4.test(text) || (text.includes(':') && IPV6.test(text));
/** A word of resolv.conf(5). */
const WORD = /^[A-Za-z0-9_.:-]{1,255}$/;

export const isIpv6 = (address: string): boolean => address.includes(':');

export function addressingOf(result: JsonObject): Result<Addressing, string> {
  const old = [result['ip4'], result['ip6']].filter(isObject).map(({ ip }) => ip);
  const given = [...listOf(result['ips']).map((it) => (isObject(it) ? it['address'] : undefined)), ...old];
  if (given.length > MAX_ADDRESSES) return err(`ips: expected at most ${MAX_ADDRESSES} addresses`);
  const addresses: string[] = [];
  for (const each of given) {
    const address = typeof each === 'string' ? (each.split('/')[0] ?? '') : '';
    if (!isAddress(address)) return err('ips: expected IP addresses with the lengths of their prefixes');
    addresses.push(address);
  }
  const dns = dnsOf(isObject(result['dns']) ? result['dns'] : {});
  return dns.ok ? ok({ addresses, dns: dns.value }) : dns;
}

function dnsOf({ nameservers, domain, search, options }: JsonObject): Result<Dns, string> {
  const lists = { nameservers: listOf(nameservers), search: listOf(search), options: listOf(options) };
  const domains = typeof domain === 'string' && domain !== '' ? [domain] : [];
  const words = [...Object.values(lists).flat(), ...domains];
  if (words.length > 3 * MAX_DNS_ENTRIES) return err(`dns: expected at most ${MAX_DNS_ENTRIES} entries a list`);
  const isWord = (word: Json): word is string => typeof word === 'string' && WORD.test(word);
  if (!words.every(isWord)) return err('dns: expected addresses, domains and options of resolv.conf');
  if (!lists.nameservers.every((it) => isAddress(String(it)))) return err('dns.nameservers: expected IP addresses');
  return ok({
    nameservers: lists.nameservers.filter(isWord),
    domain: domains[0],
    search: lists.search.filter(isWord),
    options: lists.options.filter(isWord),
  });
}

/** Without characters that would end a line of a log or status. */
function printable(text: string): string {
  const plain = text.replace(/\p{Cc}+/gu, ' ').trim();
  return plain.length > MAX_MESSAGE ? `${plain.slice(0, MAX_MESSAGE)}...` : plain;
}

/** The reason that a plugin gives for its failure, as one short line. */
export function errorOf(stdout: string, stderr: string): string {
  const parsed = parseObject(stdout);
  if (!parsed.ok) return printable(stdout.trim() === '' ? stderr : stdout) || 'without a message';
  const { code, msg, details } = parsed.value;
  const texts = [msg, details].filter((it): it is string => typeof it === 'string' && it !== '');
  return printable(`${texts.join(': ')} (code ${String(code)})`);
}
