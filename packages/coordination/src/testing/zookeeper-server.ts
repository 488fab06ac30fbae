// A ZooKeeper server (Debian's package `zookeeper`) for tests, on a port and in a directory of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after } from 'node:test';
import { openConnection } from '../zookeeper/connection.js';
import { createZooKeeperCoordination, type ZooKeeperCoordination } from '../zookeeper/coordination.js';
import { closeOperation, connectFrame, type Login, requestFrame } from '../zookeeper/protocol.js';
import type { SharedSite, Skip } from './compliance.js';
import { type CuttableProxy, openProxy } from './proxy.js';
import { newDirectory } from './stores.js';

const JAR = '/usr/share/java/zookeeper.jar';
const START_TIMEOUT_MS = 60_000;
export const SESSION_TIMEOUT_MS = 6000;

export const zooKeeperSkip: Skip = existsSync(JAR) ? false : 'no ZooKeeper server: apt-get install zookeeper';

const findFreePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

const answersAt = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = openConnection(
      { host: '127.0.0.1', port },
      {
        onOpen: () => connection.write(connectFrame({ id: 0n, password: Buffer.alloc(16) }, 0n, SESSION_TIMEOUT_MS)),
        onFrame() {
          resolve(true);
          connection.end();
        },
        onClosed: () => resolve(false),
      },
    );
    // A server that is starting may never answer a connection.
    setTimeout(() => connection.destroy('no answer'), 2000).unref();
  });

let started: Promise<number> | undefined;
let server: ChildProcess | undefined;

/** Starts the server of this test file once; it ends with the file. */
function startZooKeeper(): Promise<number> {
  started ??= start();
  return started;
}

async function start(): Promise<number> {
  const [port, directory] = [await findFreePort(), newDirectory()];
  const lines = [
    'tickTime=1000',
    `dataDir=${directory}/data`,
    `clientPort=${port}`,
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
    'maxClientCnxns=0',
  ];
  writeFileSync(`${directory}/zoo.cfg`, `${lines.join('\n')}\n`);
  const argv = [
    '-Xmx256m',
    '-Dzookeeper.forceSync=no',
    '-cp',
    JAR,
    'org.apache.zookeeper.server.quorum.QuorumPeerMain',
    `${directory}/zoo.cfg`,
  ];
  const child = spawn('java', argv, { stdio: 'ignore', cwd: directory });
  server = child;
  for (const endMs = performance.now() + START_TIMEOUT_MS; !(await answersAt(port)); ) {
    if (performance.now() > endMs || child.exitCode !== null) throw new Error('the ZooKeeper server did not start');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return port;
}

const proxies = new Set<CuttableProxy>();
after(() => {
  for (const proxy of proxies) proxy.close();
  server?.kill('SIGKILL');
});

let paths = 0;

export interface ZooKeeperSite extends Omit<SharedSite, 'open'> {
  readonly path: string;
  readonly port: number;
  open(): Promise<ZooKeeperCoordination>;
}

/** A new path on the server; each process has a proxy of its own. */
export async function newZooKeeperSite(login?: Login): Promise<ZooKeeperSite> {
  const port = await startZooKeeper();
  paths++;
  const path = `/tests/p${paths}`;
  const proxyOf = new Map<object, CuttableProxy>();
  return {
    isSole: false,
    path,
    port,
    async open() {
      const proxy = await openProxy(port);
      proxies.add(proxy);
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
