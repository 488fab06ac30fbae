// A bare allocator state, for tests of the modules that work on it.
import { present, seededRandom } from '@meseta/base';
import type { Resources } from '@meseta/resources';
import type { AgentInfo } from '@meseta/wire';
import { addAgent } from '../agents.js';
import { createState } from '../allocator.js';
import { addFramework } from '../frameworks.js';
import type { Agent, Client, Role, State } from '../state.js';
import type { AllocatorOptions } from '../types.js';
import { AGENT_CAPABILITIES, aid, fid, frameworkInfo, res, type TestCluster } from './cluster.js';

export interface TestState extends Pick<TestCluster, 'framework'> {
  readonly state: State;
  agent(id: string, total: string | Resources, info?: Partial<AgentInfo>): Agent;
  client(id: string, role: string): Client;
  role(name: string): Role;
}

export function testState(options: AllocatorOptions = {}): TestState {
  const state = createState(options, seededRandom(1));
  return {
    state,
    agent(id, total, info = {}) {
      addAgent(state, aid(id), {
        info: { hostname: id, ...info },
        capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
        total: typeof total === 'string' ? res(total) : total,
        used: new Map(),
      });
      return present(state.agents.get(aid(id)), `agent ${id}`);
    },
    framework(id, roles, capabilities, extra = {}) {
      addFramework(state, fid(id), frameworkInfo(roles, capabilities), new Map(), true, extra);
    },
    client: (id, role) => present(state.frameworks.get(fid(id))?.clients.get(role), `${id} in role ${role}`),
    role: (name) => present(state.roles.get(name), `role ${name}`).value,
  };
}
