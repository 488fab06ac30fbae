import type { AgentId, FrameworkId } from '@meseta/base';
import type { State } from './state.js';
import type { Reason } from './types.js';

export function explain(
  state: State,
  frameworkId: FrameworkId,
  _agentId: AgentId | undefined,
  _role: string | undefined,
  _now: number,
): Reason[] {
  return state.frameworks.has(frameworkId) ? [] : [{ kind: 'unknownFramework' }];
}
