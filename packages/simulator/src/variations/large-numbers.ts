// Agents whose resources are large numbers with three decimals.
// Draws: which agents.
// Effect: from the start, sums of resources need all the digits that Mesos keeps (up to 2^53 thousandths).
// Ends: never.
import { happens, pick } from '../engine/chance.js';
import type { Variation } from './variation.js';

export const largeNumbers: Variation = {
  name: 'large numbers',
  share: 0.15,
  draw(random, plan) {
    const agents = new Map(plan.agents);
    for (const [index, agent] of agents) {
      if (!happens(random, 0.5)) continue;
      const size = {
        cpus: pick(random, [65_536.001, 999_999.999, 123_456.789]),
        mem: pick(random, [4_294_967_296.5, 1_099_511_627.776]),
        disk: pick(random, [4_294_967_295, 500_000_000_000.125]),
      };
      agents.set(index, { ...agent, size });
    }
    return { ...plan, agents };
  },
};
