// Finds the leading master by the addresses of masters, or by that of the ZooKeeper or etcd that elects it.
//
// Boundary: redirects of a master are followed by the transport.
// MASTERS-1: a request is sent to one master. Only a probe, which changes nothing, is sent to all.
import { fetchTransport } from '@meseta/api';
import type { Unreachable } from '@meseta/api/transport';
import { err, ok, type Result } from '@meseta/base';
import { isCoordinatorAddress } from '@meseta/coordination/service-address';
import type { Leader, LeaderObserver } from '@meseta/coordination/types';
import { readElectedMaster } from '@meseta/wire/leader-info';
import { baseUrlOf } from './addresses.js';

export interface Masters {
  /** The URL of the leader, or of the only master, without a final slash. */
  find(): Promise<Result<string, Unreachable>>;
  /**
   * Calls `onOther` with the URL whenever the service has elected another leader than the one before, until the returned function is
   * called.
   * For addresses of masters it never calls.
   */
  follow(onOther: (url: string) => void): () => void;
}

const SESSION_TIMEOUT_MS = 10_000;
/** An election takes longer than the session of the last leader. */
const FIND_TIMEOUT_MS = 15_000;
const PROBE_TIMEOUT_MS = 3000;

const withoutLogin = (address: string): string => address.replace(/^([a-z]+:\/\/).*@/is, '$1<hidden>@');

/** The addresses as they are shown in errors: without passwords. */
export const shownMaster = (master: string | readonly string[]): string => [master].flat().map(withoutLogin).join(',');

/** Whether it names one master, which may be the only one, and not several or the service that elects the leader. */
export const isOneMaster = (master: string): boolean => !master.includes(',') && !isCoordinatorAddress(master);

/** `host:port` or a URL, several of them in a list or with commas between, or the address of a service. */
export function mastersOf(master: string | readonly string[]): Masters {
  const given = [master].flat();
  const [first = ''] = given;
  if (given.length === 1 && isCoordinatorAddress(first)) return electedMasters(first);
  const urls = given.flatMap((text) => text.split(',')).map((text) => baseUrlOf(text.trim()));
  return { find: () => findAmong(urls), follow: () => () => {} };
}

/** MASTERS-1: the first answer to a probe counts. A master that knows no leader answers with 503. */
async function findAmong(urls: readonly string[]): Promise<Result<string, Unreachable>> {
  if (urls.length === 1) return ok(urls[0] as string);
  const failures: string[] = [];
  const probe = async (url: string): Promise<string> => {
    const answered = await fetchTransport({
      method: 'GET',
      url: `${url}/redirect`,
      headers: {},
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    if (answered.ok) for await (const _ of answered.value.body);
    if (answered.ok && answered.value.status !== 503) return new URL(answered.value.url).origin;
    failures.push(`${withoutLogin(url)}: ${answered.ok ? 'knows no leader' : answered.error.text}`);
    throw new Error(failures.at(-1));
  };
  return Promise.any(urls.map(probe)).then(ok, () =>
    err({ code: 'unreachable', url: shownMaster(urls), text: failures.join('; '), isUnsent: true } as const),
  );
}

function electedMasters(address: string): Masters {
  const hidden = withoutLogin(address);
  const unreachable = (text: string) => err({ code: 'unreachable', url: hidden, text } as const);
  return {
    async find() {
      let warning: string | undefined;
      const opened = await openObserver(address, (text) => {
        warning = text;
      });
      if (!opened.ok) return unreachable(opened.error);
      const found = await firstLeader(opened.value);
      await opened.value.close();
      return found === undefined ? unreachable(warning ?? 'no master leads') : ok(found);
    },
    follow(onOther) {
      const opened = openObserver(address, () => {});
      let last: string | undefined;
      void opened.then((observer) => {
        if (!observer.ok) return;
        observer.value.watch((leader) => {
          const url = urlOf(leader) ?? last;
          if (last !== undefined && url !== undefined && url !== last) onOther(url);
          last = url;
        });
      });
      return () => {
        void opened.then((observer) => (observer.ok ? observer.value.close() : undefined));
      };
    },
  };
}

async function openObserver(address: string, warn: (text: string) => void): Promise<Result<LeaderObserver, string>> {
  // Needs Node: browsers have no connection to such a service.
  const { coordinatorAt } = await import('@meseta/coordination/coordinator');
  const coordinator = coordinatorAt(address);
  return coordinator.ok ? ok(coordinator.value({ sessionTimeoutMs: SESSION_TIMEOUT_MS, warn })) : coordinator;
}

/** Undefined also for a MasterInfo that is malformed. */
function urlOf(leader: Leader | undefined): string | undefined {
  const read = leader && readElectedMaster(leader.info);
  return read?.ok ? baseUrlOf(read.value.authority) : undefined;
}

/** The URL of the leader; undefined if none is elected in time. */
const firstLeader = (observer: LeaderObserver): Promise<string | undefined> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), FIND_TIMEOUT_MS);
    observer.watch((leader) => {
      const url = urlOf(leader);
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
