// The real coordination servers of a test file: each is started once, and ends with the file.
import { after } from 'node:test';
import { hasServer, type LocalService, SERVER_PACKAGES, type ServerKind, startLocalService } from '../local-server.js';
import type { LeaderObserver } from '../types.js';
import type { Skip } from './compliance.js';
import { type CuttableProxy, openProxy } from './proxy.js';
import { newDirectory } from './stores.js';

export const skipWithout = (kind: ServerKind): Skip =>
  hasServer(kind) ? false : `no ${kind} server: apt-get install ${SERVER_PACKAGES[kind]}`;

const services: Promise<LocalService>[] = [];
const proxies: CuttableProxy[] = [];
const opened: LeaderObserver[] = [];
after(async () => {
  // A test that failed has not closed them, and they would keep its process alive.
  await Promise.all(opened.map((each) => each.close()));
  for (const proxy of proxies) proxy.close();
  for (const service of await Promise.allSettled(services))
    if (service.status === 'fulfilled') await service.value.stop();
});

export interface TestServer {
  readonly port: number;
  /** Without a path. */
  readonly url: string;
}

/** A new server. */
export async function startTestServer(kind: ServerKind, ...settings: readonly string[]): Promise<TestServer> {
  const started = startLocalService(kind, { directory: newDirectory(), settings }).then((service) => {
    if (!service.ok) throw new Error(service.error);
    return service.value;
  });
  services.push(started);
  const { url, servers } = await started;
  return { port: servers[0]?.port ?? 0, url };
}

const shared = new Map<ServerKind, Promise<TestServer>>();

/** The server of this test file. */
export function testServer(kind: ServerKind): Promise<TestServer> {
  const server = shared.get(kind) ?? startTestServer(kind);
  shared.set(kind, server);
  return server;
}

/** Closes it at the end of the test file, if the test has not. */
export function closeAtEnd(coordination: LeaderObserver): void {
  opened.push(coordination);
}

/** A proxy of one process, whose traffic a test can stop. */
export async function newProxy(port: number): Promise<CuttableProxy> {
  const proxy = await openProxy(port);
  proxies.push(proxy);
  return proxy;
}
