// The MasterInfo that an elected master publishes, as read by masters, agents and clients. The text comes from a coordination
// service, where anyone with its password may write.
import { err, ok, type Pid, parsePid, type Result } from '@meseta/base';
import { MasterInfoCodec } from './codecs.js';
import type { MasterInfo } from './index.js';
import { renderWireError } from './wire-error.js';

export interface ElectedMaster {
  readonly info: MasterInfo;
  readonly pid: Pid;
  /** `host:port` for HTTP. */
  readonly authority: string;
}

const MAX_INFO_BYTES = 65_536;
const HOST = /^[A-Za-z0-9._:-]{1,255}$/;

/** The error names the field. */
export function readElectedMaster(bytes: Uint8Array): Result<ElectedMaster, string> {
  if (bytes.length > MAX_INFO_BYTES) return err(`expected at most ${MAX_INFO_BYTES} bytes, got ${bytes.length}`);
  const decoded = MasterInfoCodec.parse(new TextDecoder().decode(bytes));
  if (!decoded.ok) return err(renderWireError(decoded.error));
  const info = decoded.value;
  const pid = parsePid(info.pid ?? '');
  if (!pid.ok) return err(`Field 'pid': ${pid.error}`);
  const port = info.address?.port ?? info.port;
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    return err("Field 'port': expected a number from 1 to 65535");
  const host = info.address?.hostname ?? info.hostname ?? info.address?.ip ?? '';
  if (!HOST.test(host)) return err("Field 'hostname': expected a host name or an address");
  return ok({ info, pid: info.pid as Pid, authority: `${host.includes(':') ? `[${host}]` : host}:${port}` });
}
