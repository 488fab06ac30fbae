// Connections that are watched: when one breaks, everybody at its address is concerned.
import { type Pid, parsePid } from '@meseta/base';
import { disconnectAgent } from './agents/disconnect.js';
import type { Context } from './context.js';
import { disconnect } from './frameworks/disconnect.js';

export const addressOf = (pid: Pid): string => {
  const parts = parsePid(pid);
  return parts.ok ? parts.value.address : '';
};

export function link(ctx: Context, pid: Pid): void {
  const { links } = ctx.state;
  const address = addressOf(pid);
  const pids = links.get(address);
  if (pids === undefined) links.set(address, new Set([pid]));
  else pids.add(pid);
  ctx.effects.push({ kind: 'link', to: pid });
}

export function unlink(ctx: Context, pid: Pid): void {
  const { links } = ctx.state;
  const pids = links.get(addressOf(pid));
  if (pids?.delete(pid) !== true) return;
  if (pids.size === 0) links.delete(addressOf(pid));
  ctx.effects.push({ kind: 'unlink', to: pid });
}

export function peerLost(ctx: Context, address: string): void {
  const { state } = ctx;
  const pids = state.links.get(address) ?? [];
  state.links.delete(address);
  for (const pid of pids) {
    const agentId = state.agents.byPid.get(pid);
    const agent = agentId === undefined ? undefined : state.agents.registered.get(agentId);
    if (agent !== undefined) disconnectAgent(ctx, agent);
    const frameworkId = state.frameworkByPid.get(pid);
    const framework = frameworkId === undefined ? undefined : state.frameworks.get(frameworkId);
    if (framework !== undefined) disconnect(ctx, framework);
  }
}
