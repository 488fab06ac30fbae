// Finds the leading master by --master: a fixed address, or a file with one.
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { err, ok, type Pid, pidOf, type Result } from '@meseta/base';
import { addressOf } from '@meseta/platform/addresses';

/** The master that the flag names. The error says what is expected. */
export async function detectMaster(flag: string): Promise<Result<Pid, string>> {
  if (!flag.startsWith('file://')) return masterAt(flag);
  const path = flag.slice('file://'.length);
  try {
    return await masterAt((await readFile(path, 'utf8')).trim());
  } catch (cause) {
    return err(`can't read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Hides a name and a password before the address. */
const withoutCredentials = (flag: string): string => JSON.stringify(flag.replace(/^.*@/s, '<hidden>@'));

async function masterAt(flag: string): Promise<Result<Pid, string>> {
  if (/^(zk|etcd):\/\//.test(flag)) {
    return err(`${flag.split(':')[0]}:// is not supported yet; expected the address of one master, host:port`);
  }
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
