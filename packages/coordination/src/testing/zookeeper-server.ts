// The coordination of processes at a real ZooKeeper server.
import type { Login } from '../service-address.js';
import { openConnection } from '../zookeeper/connection.js';
import { createZooKeeperCoordination, type ZooKeeperCoordination } from '../zookeeper/coordination.js';
import { closeOperation, connectFrame, requestFrame } from '../zookeeper/protocol.js';
import type { SharedSite } from './compliance.js';
import type { CuttableProxy } from './proxy.js';
import { newProxy, skipWithout, testServer } from './servers.js';

export const SESSION_TIMEOUT_MS = 6000;

export const zooKeeperSkip = skipWithout('zookeeper');

let paths = 0;

export interface ZooKeeperSite extends Omit<SharedSite, 'open'> {
  readonly path: string;
  readonly port: number;
  open(): Promise<ZooKeeperCoordination>;
}

/** A new path on the server; each process has a proxy of its own. */
export async function newZooKeeperSite(login?: Login): Promise<ZooKeeperSite> {
  const { port } = await testServer('zookeeper');
  paths++;
  const path = `/tests/p${paths}`;
  const proxyOf = new Map<object, CuttableProxy>();
  return {
    isSole: false,
    path,
    port,
    async open() {
      const proxy = await newProxy(port);
      const coordination = createZooKeeperCoordination({
        address: { servers: [{ host: '127.0.0.1', port: proxy.port }], login, path },
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        warn: () => {},
      });
      proxyOf.set(coordination, proxy);
      return coordination;
    },
    setCut: (coordination, isCut) => proxyOf.get(coordination)?.setCut(isCut),
    // Another connection takes the session over and closes it: the server expires it for the first one.
    expire: (coordination) =>
      new Promise((resolve) => {
        const { id, password } = (coordination as ZooKeeperCoordination).session().name();
        const connection = openConnection(
          { host: '127.0.0.1', port },
          {
            onOpen: () => connection.write(connectFrame({ id, password }, 0n, SESSION_TIMEOUT_MS)),
            onFrame: () => connection.write(requestFrame(1, closeOperation)),
            onClosed: () => resolve(),
          },
        );
      }),
  };
}
