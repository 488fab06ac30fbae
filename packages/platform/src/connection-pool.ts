// Connections of one kind, and which of them is closed when there are too many.
//
// CONNECTION-POOL-1: every operation takes constant time, however many addresses the connections come from.
import { createCounts } from '@meseta/base';

export interface ConnectionPool<It extends { readonly ip: string }> {
  readonly size: number;
  add(it: It): void;
  delete(it: It): void;
  /** The oldest connection of the address that has the most. */
  nextToClose(): It | undefined;
}

export function createConnectionPool<It extends { readonly ip: string }>(): ConnectionPool<It> {
  const byIp = new Map<string, Set<It>>();
  const countsByIp = createCounts<string>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(it) {
      const ofIp = byIp.get(it.ip);
      if (ofIp?.has(it)) return;
      if (ofIp === undefined) byIp.set(it.ip, new Set([it]));
      else ofIp.add(it);
      countsByIp.add(it.ip);
      size++;
    },
    delete(it) {
      const ofIp = byIp.get(it.ip);
      if (ofIp?.delete(it) !== true) return;
      if (ofIp.size === 0) byIp.delete(it.ip);
      countsByIp.subtract(it.ip);
      size--;
    },
    nextToClose() {
      const ip = countsByIp.largest();
      return ip === undefined ? undefined : byIp.get(ip)?.values().next().value;
    },
  };
}
