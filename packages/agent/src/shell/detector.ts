// Finds the leading master by --master: a fixed address, a file with one, or the ZooKeeper or etcd that elects it.
import { lookup, lookupService } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { addressOfPid, err, hostOf, ok, type Pid, pidOf, type Result } from '@meseta/base';
import type { LeaderObserver } from '@meseta/coordination';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import { isCoordinatorAddress } from '@meseta/coordination/service-address';
import type { Logger } from '@meseta/platform';
import { addressOf } from '@meseta/platform/addresses';
import { readElectedMaster } from '@meseta/wire/leader-info';

export interface MasterDetector {
  /** Begins to look for the master. Calls `onMaster` when a master is detected, and with undefined while none leads. */
  start(onMaster: (master: Pid | undefined) => void): void;
  /** The host name of the detected master. */
  hostname(): string | undefined;
  close(): Promise<void>;
}

export interface DetectorOptions {
  readonly sessionTimeoutMs: number;
  readonly log: Logger;
}

/** The detector that the flag asks for. The error says what is expected. */
export async function createDetector(flag: string, options: DetectorOptions): Promise<Result<MasterDetector, string>> {
  if (!flag.startsWith('file://')) return detectorOf(flag, options);
  const path = flag.slice('file://'.length);
  try {
    return await detectorOf((await readFile(path, 'utf8')).trim(), options);
  } catch (cause) {
    return err(`can't read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

async function detectorOf(address: string, options: DetectorOptions): Promise<Result<MasterDetector, string>> {
  if (isCoordinatorAddress(address)) return electionDetector(address, options);
  const master = await masterAt(address);
  return master.ok ? ok(await fixedDetector(master.value)) : master;
}

async function fixedDetector(master: Pid): Promise<MasterDetector> {
  const hostname = await findHostname(hostOf(addressOfPid(master)));
  return { start: (onMaster) => onMaster(master), hostname: () => hostname, close: async () => {} };
}

function electionDetector(text: string, { sessionTimeoutMs, log }: DetectorOptions): Result<MasterDetector, string> {
  const coordinator = coordinatorAt(text);
  if (!coordinator.ok) return coordinator;
  let coordination: LeaderObserver | undefined;
  let hostname: string | undefined;
  return ok({
    start(onMaster) {
      coordination = coordinator.value({ sessionTimeoutMs, warn: log.warning });
      coordination.watch((leader) => {
        const read = leader && readElectedMaster(leader.info);
        if (read?.ok === false) log.limited('warning', 'leader', `the leader's MasterInfo is invalid: ${read.error}`);
        const elected = read?.ok ? read.value : undefined;
        hostname = elected?.info.hostname;
        log.info(elected === undefined ? 'no master leads' : `the leading master is ${elected.pid}`);
        onMaster(elected?.pid);
      });
    },
    hostname: () => hostname,
    close: async () => coordination?.close(),
  });
}

/** Hides a name and a password before the address. */
const withoutCredentials = (flag: string): string => JSON.stringify(flag.replace(/^.*@/s, '<hidden>@'));

async function masterAt(flag: string): Promise<Result<Pid, string>> {
  const address = flag.startsWith('master@') ? flag.slice('master@'.length) : flag;
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(address);
  if (match === null || Number(match[2]) > 65535) return err(`expected host:port, got ${withoutCredentials(flag)}`);
  try {
    const host = match[1] as string;
    // Most names have an IPv4 address, and Mesos' masters have no other.
    const found = await lookup(host, { family: 4 }).catch(() => lookup(host, { family: 6 }));
    return ok(pidOf('master', addressOf(found.address, Number(match[2]))));
  } catch {
    return err(`can't resolve the host of ${withoutCredentials(flag)}`);
  }
}

/** The host name of an address, or the address if it has none. */
export async function findHostname(ip: string): Promise<string> {
  try {
    return (await lookupService(ip, 0)).hostname;
  } catch {
    return ip;
  }
}
