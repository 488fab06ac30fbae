// Explains the state of a task from the master's records.
import type { ExplainedReason } from '@meseta/api';
import { type AgentId, idOf, type TaskId } from '@meseta/base';
import type { Task, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { MasterState } from '../core/state.js';
import { describeAgentState } from './explain-reasons.js';
import { formatSpan } from './explain-text.js';
import type { FoundTask } from './find-task.js';

export function taskReasons(state: MasterState, found: FoundTask, wallMs: number): readonly ExplainedReason[] {
  const { task, kept } = found;
  const agentId = idOf<AgentId>(task.agent_id);
  const agent = state.agents.registered.get(agentId);
  const place = { agent_id: agentId, ...(agent === undefined ? {} : { hostname: agent.info.hostname }) };
  const reasons: ExplainedReason[] = [
    { kind: 'task_state', text: describeTaskState(state, found, wallMs), ...place, figures: figuresOf(task) },
  ];
  if (kept !== 'live') return reasons;
  if (agent?.connected === false) {
    const { agentReregisterTimeoutMs } = state.options;
    const text = `Its agent is disconnected, so this may be out of date; if the agent stays away for ${formatSpan(agentReregisterTimeoutMs)}, the task becomes unreachable.`;
    reasons.push({ kind: 'agent_disconnected', text, ...place });
  }
  if (agent?.connected === false && agent.killedTasks.get(found.framework.id)?.has(idOf<TaskId>(task.task_id))) {
    reasons.push({ kind: 'kill_pending', text: 'It is to be killed as soon as its agent is back.', ...place });
  }
  if (task.status_update_state !== undefined && task.status_update_state !== task.state) {
    const text = `Its scheduler has not acknowledged ${task.status_update_state}, so the update to ${task.state} waits.`;
    reasons.push({ kind: 'unacknowledged', text });
  } else if (isTerminal(task.state)) {
    reasons.push({ kind: 'unacknowledged', text: `Its scheduler has not acknowledged ${task.state} yet.` });
  }
  if (task.statuses?.at(-1)?.healthy === false) {
    reasons.push({ kind: 'unhealthy', text: 'Its health check fails.' });
  }
  return reasons;
}

function describeTaskState(state: MasterState, { task, kept }: FoundTask, wallMs: number): string {
  const agentId = idOf<AgentId>(task.agent_id);
  const host = state.agents.registered.get(agentId)?.info.hostname ?? agentId;
  const last = task.statuses?.at(-1);
  if (kept === 'unreachable') {
    const since = state.agents.unreachable.get(agentId)?.sinceMs;
    const age = since === undefined ? '' : ` for ${formatSpan(wallMs - since)}`;
    const then = 'It may still be running there; if the agent comes back, so does the task.';
    return `${since === undefined ? describeAgentState(state, agentId) : `Its agent ${agentId} is unreachable${age}.`} ${then}`;
  }
  if (isTerminal(task.state) || kept === 'completed')
    return `It ended on ${host}: ${task.state}${describeStatus(last, wallMs)}`;
  switch (task.state) {
    case 'TASK_STAGING':
      return `It was sent to ${host}, which has not reported that it started: its agent is fetching files, preparing an image or starting its executor.`;
    case 'TASK_STARTING':
      return `Its executor on ${host} has received it and has not reported that it runs${describeStatus(last, wallMs)}`;
    case 'TASK_KILLING':
      return `It is being killed on ${host}, within its grace period${describeStatus(last, wallMs)}`;
    default:
      return `It runs on ${host}: ${task.state}${describeStatus(last, wallMs)}`;
  }
}

function describeStatus(status: TaskStatus | undefined, wallMs: number): string {
  if (status === undefined) return '.';
  const { timestamp, reason, source, message } = status;
  const age = timestamp === undefined ? '' : `, ${formatSpan(wallMs - 1000 * timestamp)} ago`;
  const by = [source, reason].filter((part) => part !== undefined).join(', ');
  return `${age}${by === '' ? '' : ` (${by})`}${message === undefined || message === '' ? '.' : `: ${message}`}`;
}

function figuresOf(task: Task): Readonly<Record<string, unknown>> {
  const last = task.statuses?.at(-1);
  const { timestamp, reason, source, message, healthy } = last ?? {};
  const figures = { timestamp, reason, source, message, healthy };
  return {
    state: task.state,
    ...Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined)),
  };
}
