// Connections of one kind, and which of them is closed when there are too many.

export interface ConnectionPool<It extends { readonly ip: string }> {
  readonly size: number;
  add(it: It): void;
  delete(it: It): void;
  /** The oldest connection of the address that has the most. */
  nextToClose(): It | undefined;
}

export function createConnectionPool<It extends { readonly ip: string }>(): ConnectionPool<It> {
  const byIp = new Map<string, Set<It>>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(it) {
      const own = byIp.get(it.ip);
      if (own === undefined) byIp.set(it.ip, new Set([it]));
      else own.add(it);
      size++;
    },
    delete(it) {
      const own = byIp.get(it.ip);
      if (own?.delete(it) !== true) return;
      size--;
      if (own.size === 0) byIp.delete(it.ip);
    },
    nextToClose() {
      let most: Set<It> | undefined;
      for (const own of byIp.values()) if (own.size > (most?.size ?? 0)) most = own;
      return most?.values().next().value;
    },
  };
}
