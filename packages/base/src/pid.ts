import type { Id } from './ids.js';
import { overLimit } from './limits.js';
import { err, ok, type Result } from './result.js';

/** A libprocess actor at an address, `id@ip:port`, e.g. `slave(1)@10.0.0.7:5051`. */
export type Pid = Id<'Pid'>;

export interface PidParts {
  readonly id: string;
  /** `ip:port` */
  readonly address: string;
}

export const pidOf = (id: string, address: string): Pid => `${id}@${address}` as Pid;

/** The `ip:port` of a pid. */
export const addressOfPid = (pid: Pid): string => pid.slice(pid.lastIndexOf('@') + 1);

/** The host of `host:port`, without the brackets of an IPv6 address. */
export const hostOf = (address: string): string =>
  address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');

/** The parts of a pid from outside. The error names the expected form. */
export function parsePid(text: string): Result<PidParts, string> {
  const tooLong = overLimit('pid', 'pid', text.length);
  if (tooLong !== undefined) return err(tooLong);
  const at = text.lastIndexOf('@');
  if (at <= 0) return err(`expected a pid such as master@10.0.0.1:5050, got ${JSON.stringify(text)}`);
  const address = text.slice(at + 1);
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  if (!/^.+:\d{1,5}$/.test(address) || port > 65535) {
    return err(`expected an ip:port after the @ of a pid, got ${JSON.stringify(text)}`);
  }
  return ok({ id: text.slice(0, at), address });
}
