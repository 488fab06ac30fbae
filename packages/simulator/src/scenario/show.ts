// The command `show`: prints parts of the leading master's state.
import { isTerminal } from '@meseta/wire/task-states';
import type { Command } from './parse.js';
import type { Stage } from './stage.js';

export function show(stage: Stage, { words }: Command): void {
  const state = stage.masters.leader()?.core.state;
  if (state === undefined) {
    stage.lines.push('no master leads');
    return;
  }
  for (const what of words) {
    if (what === 'agents') {
      const { registered, recovered, unreachable, gone } = state.agents;
      for (const agent of registered.values()) {
        const how = [agent.connected ? 'connected' : 'disconnected', ...(agent.deactivated ? ['deactivated'] : [])];
        const drain = agent.drainInfo === undefined ? [] : [agent.drainInfo.state];
        stage.lines.push(`agent ${stage.nameOf(agent.id)}: ${[...how, ...drain].join(', ')}`);
      }
      for (const id of recovered.keys()) stage.lines.push(`agent ${stage.nameOf(id)}: not back yet`);
      for (const id of unreachable.keys()) stage.lines.push(`agent ${stage.nameOf(id)}: unreachable`);
      for (const id of gone.keys()) stage.lines.push(`agent ${stage.nameOf(id)}: gone`);
    } else if (what === 'tasks') {
      for (const framework of state.frameworks.values()) {
        for (const [id, task] of framework.tasks) {
          const ended = isTerminal(task.state) ? ', not acknowledged' : '';
          stage.lines.push(`task ${id}: ${task.state} on ${stage.nameOf(task.agent_id.value)}${ended}`);
        }
        for (const id of framework.unreachableTasks.keys()) stage.lines.push(`task ${id}: unreachable`);
      }
    } else if (what === 'frameworks') {
      for (const { info, status } of state.frameworks.values()) stage.lines.push(`framework ${info.name}: ${status}`);
      for (const { framework } of state.completedFrameworks.values()) {
        stage.lines.push(`framework ${framework.info.name}: completed`);
      }
    } else if (what === 'executors') {
      for (const agent of state.agents.registered.values()) {
        for (const executors of agent.executors.values()) {
          for (const id of executors.keys()) stage.lines.push(`executor ${id} on ${stage.nameOf(agent.id)}`);
        }
      }
    } else if (what === 'containers') {
      for (const [name, node] of stage.agents) {
        const running = [...node.containers.all.values()].filter((it) => it.state === 'running');
        stage.lines.push(`on ${name}: ${running.length} running`);
      }
    } else throw new Error(`show: nothing is called ${what}`);
  }
}
