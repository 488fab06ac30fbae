// Where the leading master is, from --master: a fixed address, or a file that holds one.
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { err, ok, type Pid, pidOf, type Result } from '@meseta/base';

/** The master that the flag names. The error says what was expected. */
export async function detectMaster(flag: string): Promise<Result<Pid, string>> {
  if (flag.startsWith('file://')) {
    const path = flag.slice('file://'.length);
    try {
      return await detectMaster((await readFile(path, 'utf8')).trim());
    } catch (cause) {
      return err(`can't read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  if (/^(zk|etcd):\/\//.test(flag)) {
    return err(`${flag.split(':')[0]}:// is not supported yet; expected the address of one master, host:port`);
  }
  const address = flag.startsWith('master@') ? flag.slice('master@'.length) : flag;
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(address);
  if (match === null || Number(match[2]) > 65535) return err(`expected host:port, got ${JSON.stringify(flag)}`);
  try {
    const found = await lookup(match[1] as string, { family: 4 });
    return ok(pidOf('master', `${found.address}:${match[2]}`));
  } catch {
    return err(`can't resolve the host of ${JSON.stringify(flag)}`);
  }
}
