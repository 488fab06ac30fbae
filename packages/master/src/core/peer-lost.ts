// A connection broke: disconnects every agent and driver at its address, or one of them.
import type { Pid } from '@meseta/base';
import { disconnectAgent } from './agents/disconnect.js';
import type { Context } from './context.js';
import { disconnectFramework } from './frameworks/disconnect.js';

export function peerLost(ctx: Context, address: string, only: Pid | undefined): void {
  const { state } = ctx;
  const linked = state.links.get(address) ?? new Set<Pid>();
  const pids = only === undefined ? [...linked] : [only];
  for (const pid of pids) linked.delete(pid);
  if (linked.size === 0) state.links.delete(address);
  for (const pid of pids) {
    const agentId = state.agents.byPid.get(pid);
    const agent = agentId === undefined ? undefined : state.agents.registered.get(agentId);
    if (agent !== undefined) disconnectAgent(ctx, agent);
    const frameworkId = state.frameworkByPid.get(pid);
    const framework = frameworkId === undefined ? undefined : state.frameworks.get(frameworkId);
    if (framework !== undefined) disconnectFramework(ctx, framework);
  }
}
