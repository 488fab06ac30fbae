// The real coordination servers of a test file: each is started once, and ends with the file.
import { after } from 'node:test';
import { hasServer, type LocalServer, SERVER_PACKAGES, type ServerKind, startLocalServer } from '../local-server.js';
import type { Skip } from './compliance.js';
import { type CuttableProxy, openProxy } from './proxy.js';
import { newDirectory } from './stores.js';

export const skipWithout = (kind: ServerKind): Skip =>
  hasServer(kind) ? false : `no ${kind} server: apt-get install ${SERVER_PACKAGES[kind]}`;

const servers: Promise<LocalServer>[] = [];
const proxies: CuttableProxy[] = [];
after(async () => {
  for (const proxy of proxies) proxy.close();
  for (const server of servers) await (await server).stop();
});

/** A new server. */
export function startTestServer(kind: ServerKind, ...argv: readonly string[]): Promise<LocalServer> {
  const started = startLocalServer(kind, { directory: newDirectory(), arguments: argv }).then((server) => {
    if (!server.ok) throw new Error(server.error);
    return server.value;
  });
  servers.push(started);
  return started;
}

const shared = new Map<ServerKind, Promise<LocalServer>>();

/** The server of this test file. */
export function testServer(kind: ServerKind): Promise<LocalServer> {
  const server = shared.get(kind) ?? startTestServer(kind);
  shared.set(kind, server);
  return server;
}

/** A proxy of one process, whose traffic a test can stop. */
export async function newProxy(port: number): Promise<CuttableProxy> {
  const proxy = await openProxy(port);
  proxies.push(proxy);
  return proxy;
}
