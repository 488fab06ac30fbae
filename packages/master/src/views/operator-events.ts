// Turns notes of the core into events of operators' streams; undefined for notes that are no events.
// An agent that becomes unreachable or gone is no AGENT_REMOVED: Mesos' clients expect that only at a removal.

import type { TaskId } from '@meseta/base';
import type { MasterEvent } from '@meseta/wire';
import type { Note } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { type Approver, approveAll } from './approver.js';
import { findTask } from './find-task.js';
import { useOfAgent } from './snapshot.js';
import { frameworkEventMessage } from './v1-frameworks.js';
import { agentMessage } from './v1-state.js';

/** Whether the content of the event depends on what the viewer may see. */
export const dependsOnViewer = ({ kind }: Note): boolean => kind === 'agentAdded';

export function operatorEventOf(state: MasterState, note: Note, approver: Approver): MasterEvent | undefined {
  switch (note.kind) {
    case 'log':
      return undefined;
    case 'agentAdded': {
      const agent = state.agents.registered.get(note.agentId);
      if (agent === undefined) return undefined;
      return { type: 'AGENT_ADDED', agent_added: { agent: agentMessage(agent, useOfAgent(state, agent), approver) } };
    }
    case 'agentRemoved':
      if (note.why !== 'removed') return undefined;
      return { type: 'AGENT_REMOVED', agent_removed: { agent_id: { value: note.agentId } } };
    case 'frameworkAdded':
    case 'frameworkUpdated': {
      const message = { framework: frameworkEventMessage(note.framework) };
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

/** Whether a viewer gets the event: one of a framework or task only if it may see that, one of an agent always (as in Mesos). */
export function isSeen(state: MasterState, note: Note, approver: Approver): boolean {
  if (!('frameworkId' in note)) return true;
  const { frameworkId } = note;
  const framework = state.frameworks.get(frameworkId) ?? state.completedFrameworks.get(frameworkId)?.framework;
  if (framework === undefined) return approver.key === approveAll.key;
  if (!approver.framework(framework)) return false;
  if (!('taskId' in note)) return true;
  if (approver.key === approveAll.key) return true;
  const found = findTask(framework, note.taskId);
  return found !== undefined && approver.task(found.task, framework);
}
