// What happened, as the event that operators' streams carry; undefined for what they aren't told.
// Unreachable and gone agents are not announced as removed: Mesos' clients expect AGENT_REMOVED only at a removal.

import type { TaskId } from '@meseta/base';
import type { MasterEvent } from '@meseta/wire';
import type { Note } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { frameworkView, useOfAgent } from './snapshot.js';
import { agentMessage, frameworkMessage } from './v1-state.js';

export function operatorEventOf(state: MasterState, note: Note): MasterEvent | undefined {
  switch (note.kind) {
    case 'log':
      return undefined;
    case 'agentAdded': {
      const agent = state.agents.registered.get(note.agentId);
      if (agent === undefined) return undefined;
      return { type: 'AGENT_ADDED', agent_added: { agent: agentMessage(agent, useOfAgent(state, agent)) } };
    }
    case 'agentRemoved':
      if (note.why !== 'removed') return undefined;
      return { type: 'AGENT_REMOVED', agent_removed: { agent_id: { value: note.agentId } } };
    case 'frameworkAdded':
    case 'frameworkUpdated': {
      const framework = state.frameworks.get(note.frameworkId);
      if (framework === undefined) return undefined;
      const message = { framework: frameworkMessage(frameworkView(state, framework, undefined)) };
      return note.kind === 'frameworkAdded'
        ? { type: 'FRAMEWORK_ADDED', framework_added: message }
        : { type: 'FRAMEWORK_UPDATED', framework_updated: message };
    }
    case 'frameworkRemoved': {
      const ended = state.completedFrameworks.get(note.frameworkId);
      if (ended === undefined) return undefined;
      return { type: 'FRAMEWORK_REMOVED', framework_removed: { framework_info: ended.framework.info } };
    }
    case 'taskAdded': {
      const task = state.frameworks.get(note.frameworkId)?.tasks.get(note.taskId as TaskId);
      return task === undefined ? undefined : { type: 'TASK_ADDED', task_added: { task } };
    }
    case 'taskUpdated': {
      const framework_id = { value: note.frameworkId };
      return { type: 'TASK_UPDATED', task_updated: { framework_id, status: note.status, state: note.state } };
    }
  }
}
