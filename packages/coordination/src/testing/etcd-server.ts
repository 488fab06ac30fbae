// The coordination of processes at a real etcd server.
import assert from 'node:assert/strict';
import { createEtcdClient, type EtcdClient } from '../etcd/client.js';
import { createEtcdCoordination, type EtcdCoordination } from '../etcd/coordination.js';
import { type Contenders, contendersCall, keysCall, revokeLeaseCall } from '../etcd/protocol.js';
import type { SharedSite } from './compliance.js';
import type { CuttableProxy } from './proxy.js';
import { closeAtEnd, newProxy, skipWithout, testServer } from './servers.js';

export const LEASE_MS = 3000;

export const etcdSkip = skipWithout('etcd');

let paths = 0;

export interface EtcdSite extends Omit<SharedSite, 'open'> {
  readonly path: string;
  readonly port: number;
  /** A client without a proxy. */
  client(): EtcdClient;
  open(): Promise<EtcdCoordination>;
}

export async function contendersAt(client: EtcdClient, path: string): Promise<Contenders> {
  const read = await client.call(contendersCall(`${path}/masters/`, `${path}/masters/none`));
  assert.ok(read.ok);
  return read.value;
}

/** A new prefix on the server; each process has a proxy of its own. */
export async function newEtcdSite(termMs = LEASE_MS): Promise<EtcdSite> {
  const { port } = await testServer('etcd');
  paths++;
  const path = `/tests/p${paths}`;
  const proxyOf = new Map<object, CuttableProxy>();
  const client = (): EtcdClient =>
    createEtcdClient({
      servers: [{ host: '127.0.0.1', port }],
      login: undefined,
      tls: undefined,
      timeoutMs: LEASE_MS,
    });
  return {
    isSole: false,
    termMs,
    path,
    port,
    client,
    async countContenders() {
      const other = client();
      const { oldest } = await contendersAt(other, path);
      assert.ok(oldest !== undefined);
      const keys = await other.call(keysCall(oldest, `${path}/masters/`, `${path}/masters/`, 10));
      assert.ok(keys.ok && keys.value !== 'fenced');
      other.close();
      return keys.value.length;
    },
    async open() {
      const proxy = await newProxy(port);
      const coordination = createEtcdCoordination({
        servers: [{ host: '127.0.0.1', port: proxy.port }],
        login: undefined,
        tls: undefined,
        path,
        sessionTimeoutMs: termMs,
        warn: () => {},
      });
      closeAtEnd(coordination);
      proxyOf.set(coordination, proxy);
      return coordination;
    },
    setCut: (coordination, isCut) => proxyOf.get(coordination)?.setCut(isCut),
    async expire(coordination) {
      const id = (coordination as EtcdCoordination).leaseId();
      assert.ok(id !== undefined);
      const other = client();
      assert.ok((await other.call(revokeLeaseCall(id))).ok);
      other.close();
    },
  };
}
