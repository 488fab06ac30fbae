// The master's answers to explicit reconciliation, task by task.
import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import type { MasterState } from '@meseta/master/core/state';
import type { SchedulerCall, SchedulerCallReconcileTask, TaskState } from '@meseta/wire';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { schedulerCallIn, statusesSent } from './scheduler-messages.js';

export const reconciliation: CheckerKind = {
  name: 'reconciliation',
  invariants: {
    'reconciliation answers by the rules':
      'A known task is answered with its last sent state; an unknown one by its agent: gone, unreachable, registered (the task is gone), unknown. No answer while that agent may still re-register.',
  },
  allowances: {},
  create: createReconciliationChecker,
};

/** `none`: no answer. */
type Answer = TaskState | 'none';

function createReconciliationChecker({ world }: Cluster, count: Count): Checker {
  let expected: readonly (readonly [task: string, answer: Answer])[] = [];
  return {
    observer: {
      beforeMasterStep({ core }, input) {
        const call = schedulerCallIn(input);
        expected = call === undefined ? [] : expectedOf(core.state, call);
        const framework = core.state.frameworks.get(call?.framework_id?.value as FrameworkId);
        const { connection } = framework ?? {};
        const isOwnDriver = connection?.kind === 'pid' && input.kind === 'message' && connection.pid === input.from;
        if (input.kind === 'message' && !isOwnDriver) expected = [];
      },
      masterStepped(master, input, effects) {
        if (expected.length === 0) return;
        if (input.kind === 'schedulerCall') {
          if (!effects.some((it) => it.kind === 'reply' && it.reply.status === 202)) return;
        }
        const answers = statusesSent(effects).map(({ task_id, state }) => [task_id.value, state] as const);
        checkReported(world, master.name, expected, answers);
        count('tasks reconciled', expected.length);
      },
    },
  };
}

function checkReported(
  world: World,
  name: string,
  expected: readonly (readonly [string, Answer])[],
  answers: readonly (readonly [string, TaskState])[],
): void {
  const wanted = expected.filter(([, answer]) => answer !== 'none');
  const same =
    wanted.length === answers.length &&
    wanted.every(([task, answer], i) => answers[i]?.[0] === task && answers[i]?.[1] === answer);
  if (same) return;
  const text = `${name}: expected ${JSON.stringify(wanted)}, answered ${JSON.stringify(answers)}`;
  world.fail(
    'reconciliation answers by the rules',
    text,
    wanted.map(([task]) => task),
  );
}

function expectedOf(state: MasterState, call: SchedulerCall): readonly (readonly [string, Answer])[] {
  const framework = state.frameworks.get(call.framework_id?.value as FrameworkId);
  if (framework === undefined) return [];
  const aware = (framework.info.capabilities ?? []).some(({ type }) => type === 'PARTITION_AWARE');
  const stateFor = (answer: TaskState): TaskState => (aware ? answer : 'TASK_LOST');
  return (call.reconcile?.tasks ?? []).map((task) => {
    const known = framework.tasks.get(task.task_id.value as TaskId);
    if (known !== undefined) return [task.task_id.value, known.status_update_state ?? known.state];
    return [task.task_id.value, stateOfUnknownTask(state, task, stateFor)];
  });
}

function stateOfUnknownTask(
  { agents }: MasterState,
  { agent_id }: SchedulerCallReconcileTask,
  stateFor: (answer: TaskState) => TaskState,
): Answer {
  if (agent_id === undefined && agents.recovered.size > 0) return 'none';
  const at = agent_id?.value as AgentId | undefined;
  if (at !== undefined && agents.recovered.has(at)) return 'none';
  if (at !== undefined && agents.registered.has(at)) return stateFor('TASK_GONE');
  if (at !== undefined && agents.unreachable.has(at)) return stateFor('TASK_UNREACHABLE');
  if (at !== undefined && agents.gone.has(at)) return stateFor('TASK_GONE_BY_OPERATOR');
  return stateFor('TASK_UNKNOWN');
}
