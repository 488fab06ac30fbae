// The MasterInfo of this process.
import { randomUUID } from 'node:crypto';
import { hostOf, pidOf } from '@meseta/base';
import { buildInfo } from '@meseta/platform/build-info';
import type { MasterInfo } from '@meseta/wire';
import type { MasterConfig } from './configuration.js';

/** An IPv4 address as the number that MasterInfo holds: its bytes in network order, read little-endian. */
const packedIp = (ip: string): number => {
  const bytes = ip.split('.').map(Number);
  return bytes.length === 4 ? bytes.reduceRight((sum, byte) => sum * 256 + byte, 0) : 0;
};

/** Each call generates another id: call it once per process. */
export function masterInfoOf(config: MasterConfig, address: string): MasterInfo {
  const colon = address.lastIndexOf(':');
  const [ip, port] = [hostOf(address), Number(address.slice(colon + 1))];
  return {
    id: randomUUID(),
    ip: packedIp(ip),
    port,
    pid: pidOf('master', address),
    hostname: config.hostname,
    version: buildInfo.version,
    address: { hostname: config.hostname, ip, port },
    ...(config.domain === undefined ? {} : { domain: config.domain }),
    capabilities: [{ type: 'AGENT_UPDATE' }, { type: 'AGENT_DRAINING' }, { type: 'QUOTA_V2' }],
  };
}
