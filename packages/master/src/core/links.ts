// Watched connections, by the address of the peer.
import { addressOfPid, type Pid } from '@meseta/base';
import type { Context } from './context.js';

export function link(ctx: Context, pid: Pid): void {
  const { links } = ctx.state;
  const address = addressOfPid(pid);
  const pids = links.get(address);
  if (pids === undefined) links.set(address, new Set([pid]));
  else pids.add(pid);
  ctx.effects.push({ kind: 'link', to: pid });
}

export function unlink(ctx: Context, pid: Pid): void {
  const { links } = ctx.state;
  const pids = links.get(addressOfPid(pid));
  if (pids?.delete(pid) !== true) return;
  if (pids.size === 0) links.delete(addressOfPid(pid));
  ctx.effects.push({ kind: 'unlink', to: pid });
}
