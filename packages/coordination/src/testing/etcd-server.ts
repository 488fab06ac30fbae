// The coordination of processes at a real etcd server.
import assert from 'node:assert/strict';
import { createEtcdClient, type EtcdClient } from '../etcd/client.js';
import { createEtcdCoordination, type EtcdCoordination } from '../etcd/coordination.js';
import { revokeLeaseCall } from '../etcd/protocol.js';
import type { SharedSite } from './compliance.js';
import type { CuttableProxy } from './proxy.js';
import { newProxy, skipWithout, testServer } from './servers.js';

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

/** A new prefix on the server; each process has a proxy of its own. */
export async function newEtcdSite(): Promise<EtcdSite> {
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
    path,
    port,
    client,
    async open() {
      const proxy = await newProxy(port);
      const coordination = createEtcdCoordination({
        servers: [{ host: '127.0.0.1', port: proxy.port }],
        login: undefined,
        tls: undefined,
        path,
        sessionTimeoutMs: LEASE_MS,
        warn: () => {},
      });
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
