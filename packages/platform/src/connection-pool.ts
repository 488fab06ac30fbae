// Connections of one kind, with the choice of the one to close first.

export interface ConnectionPool<It extends { readonly ip: string }> {
  readonly size: number;
  add(it: It): void;
  delete(it: It): void;
  /** The oldest connection of the address that has the most. */
  first(): It | undefined;
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
    first() {
      let most: Set<It> | undefined;
      for (const own of byIp.values()) if (own.size > (most?.size ?? 0)) most = own;
      return most?.values().next().value;
    },
  };
}
