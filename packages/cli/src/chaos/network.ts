// A network of this run alone, in which each daemon has an address of its own and can be cut off: Linux network namespaces,
// joined by a bridge. Needs root, and the programs `unshare` and `ip`.
//
// CHAOS-NETWORK-1: everything is in a network namespace and below a mount of this run's processes, so it is gone when they end.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import type { LocalNetwork } from '../up/local-cluster.js';

export interface ChaosNetwork extends LocalNetwork {
  /** Stops or continues all traffic of a daemon with the others. */
  setCut(name: string, isCut: boolean): Promise<void>;
}

/**
 * The environment variable of the process in the namespaces: the mount namespace of its parent. A process in another mount
 * namespace than that is inside.
 */
const OUTSIDE = 'MESETA_CHAOS_OUTSIDE';
const ownMountNamespace = (): string => readlinkSync('/proc/self/ns/mnt');
const UNSHARE = ['--net', '--mount', '--propagation', 'private', '--'] as const;
/** The process in the namespaces ends its cluster when the one outside was killed. */
const END_WITH_PARENT = ['setpriv', '--pdeathsig=TERM', '--'] as const;
const SUBNET = '10.77.0';
const BRIDGE = 'meseta';
const FIRST_HOST = 10;

const run = promisify(execFile);
const ip = (...argv: readonly string[]): Promise<unknown> => run('ip', argv);

export const isInside = (): boolean =>
  process.env[OUTSIDE] !== undefined && process.env[OUTSIDE] !== ownMountNamespace();

/** Whether this process may make namespaces and has the programs. */
export const canCutNetworks = (): boolean =>
  process.getuid?.() === 0 &&
  spawnSync('unshare', [...UNSHARE, ...END_WITH_PARENT, 'ip', 'link'], { stdio: 'ignore' }).status === 0;

/** Runs this program again in the namespaces; resolves with its exit status. */
export function runInside(): Promise<number> {
  const [program, ...argv] = process.argv;
  const child = spawn('unshare', [...UNSHARE, ...END_WITH_PARENT, program as string, ...process.execArgv, ...argv], {
    stdio: 'inherit',
    env: { ...process.env, [OUTSIDE]: ownMountNamespace() },
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  // The child may get Ctrl-C from the terminal too, which changes nothing (INTERRUPTION-1).
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** CHAOS-NETWORK-1 */
export async function openNetwork(): Promise<ChaosNetwork> {
  await run('mount', ['-t', 'tmpfs', 'meseta', '/run']);
  mkdirSync('/run/netns');
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', BRIDGE, 'type', 'bridge');
  await ip('addr', 'add', `${SUBNET}.1/24`, 'dev', BRIDGE);
  await ip('link', 'set', BRIDGE, 'up');
  const hosts = new Map<string, number>();
  const deviceOf = (name: string): string => `v${hosts.get(name)}`;
  return {
    async join(name) {
      const host = FIRST_HOST + hosts.size;
      hosts.set(name, host);
      const [device, address] = [deviceOf(name), `${SUBNET}.${host}`];
      await ip('netns', 'add', name);
      await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      await ip('link', 'set', device, 'master', BRIDGE, 'up');
      await ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      await ip('-n', name, 'link', 'set', 'eth0', 'up');
      await ip('-n', name, 'link', 'set', 'lo', 'up');
      return { ip: address, command: ['ip', 'netns', 'exec', name] };
    },
    setCut: async (name, isCut) => void (await ip('link', 'set', deviceOf(name), isCut ? 'down' : 'up')),
  };
}
