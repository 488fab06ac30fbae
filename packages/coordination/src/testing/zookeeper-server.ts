// The coordination of processes at a real ZooKeeper server.
import assert from 'node:assert/strict';
import type { Login } from '../service-address.js';
import { openConnection } from '../zookeeper/connection.js';
import { createZooKeeperCoordination, type ZooKeeperCoordination } from '../zookeeper/coordination.js';
import { childrenOperation, closeOperation, connectFrame, requestFrame } from '../zookeeper/protocol.js';
import { contendersOf } from '../zookeeper/registry-path.js';
import { openSession, type Session } from '../zookeeper/session.js';
import type { SharedSite } from './compliance.js';
import type { CuttableProxy } from './proxy.js';
import { closeAtEnd, newProxy, skipWithout, testServer } from './servers.js';

const SESSION_TIMEOUT_MS = 6000;

export const zooKeeperSkip = skipWithout('zookeeper');

let paths = 0;

export interface ZooKeeperSite extends Omit<SharedSite, 'open'> {
  readonly path: string;
  readonly port: number;
  open(): Promise<ZooKeeperCoordination>;
}

/** A session at servers on loopback, without a login. */
export const openTestSession = (ports: readonly number[], timeoutMs = SESSION_TIMEOUT_MS): Session =>
  openSession({
    servers: ports.map((port) => ({ host: '127.0.0.1', port })),
    login: undefined,
    tls: undefined,
    timeoutMs,
    warn: () => {},
  });

/** The names of the contenders, the oldest first. */
export async function contendersAt(session: Session, path: string): Promise<readonly string[]> {
  const names = await session.read(childrenOperation(path, false));
  assert.ok(names.ok);
  return contendersOf(names.value);
}

/** A new path on the server; each process has a proxy of its own. */
export async function newZooKeeperSite(login?: Login, termMs = SESSION_TIMEOUT_MS): Promise<ZooKeeperSite> {
  const { port } = await testServer('zookeeper');
  paths++;
  const path = `/tests/p${paths}`;
  const proxyOf = new Map<object, CuttableProxy>();
  return {
    isSole: false,
    termMs,
    path,
    port,
    async countContenders() {
      const session = openTestSession([port]);
      const { length } = await contendersAt(session, path);
      await session.close();
      return length;
    },
    async open() {
      const proxy = await newProxy(port);
      const coordination = createZooKeeperCoordination({
        servers: [{ host: '127.0.0.1', port: proxy.port }],
        login,
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
    // Another connection takes the session over and closes it: the server expires it for the first one.
    expire: (coordination) =>
      new Promise((resolve) => {
        const { id, password } = (coordination as ZooKeeperCoordination).session().name();
        const connection = openConnection({ host: '127.0.0.1', port }, undefined, {
          onOpen: () => connection.write(connectFrame({ id, password }, 0n, termMs)),
          onFrame: () => connection.write(requestFrame(1, closeOperation)),
          onClosed: () => resolve(),
        });
      }),
  };
}
