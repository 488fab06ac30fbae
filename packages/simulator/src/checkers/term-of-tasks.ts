// The terms of offers, launches and registrations, kept by the simulator: no offer of one term ends in a task of another.
import { addressOfPid, type Pid } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { LibprocessMessage } from '@meseta/wire';
import type { AgentNode } from '../nodes/agent.js';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { offersIn, schedulerCallIn } from './scheduler-messages.js';

export const termOfTasks: CheckerKind = {
  name: 'term-of-tasks',
  invariants: {
    'a term launches only on its own offers': 'A call that names an offer of another term launches nothing.',
    'an agent starts tasks only of the term that registered it':
      'The launch was sent in the term in which the agent was registered last: the terms before it are over for this agent.',
  },
  allowances: {
    deposedLeader:
      'An agent that has not heard of the new leader, or that reads a stale one, follows the deposed leader, and starts its tasks as long as it does.',
  },
  create: createTermOfTasksChecker,
};

interface Book {
  /** The term of each offer. */
  readonly offers: Map<string, number>;
  /** The term of the last launch that was sent, by agent and task. */
  readonly launches: Map<string, number>;
  /** The term of the last registration that was sent, by master and agent. */
  readonly sent: Map<string, number>;
  /** The term that registered the agent last, by agent. */
  readonly registered: Map<Pid, number>;
  newest: number;
}

function createTermOfTasksChecker({ world }: Cluster, count: Count): Checker {
  const book: Book = { offers: new Map(), launches: new Map(), sent: new Map(), registered: new Map(), newest: 0 };
  return {
    observer: {
      masterStarted({ epoch }) {
        book.newest = Math.max(book.newest, epoch);
      },
      masterStepped(master, input, effects) {
        const named = schedulerCallIn(input)?.accept?.offer_ids ?? [];
        const foreign = named.find(({ value }) => (book.offers.get(value) ?? master.epoch) !== master.epoch)?.value;
        for (const effect of effects) {
          for (const { id } of offersIn(effect)) book.offers.set(id.value, master.epoch);
          if (effect.kind === 'send') noteMessage(book, master, effect);
          if (foreign === undefined || effect.kind !== 'send' || tasksIn(effect.message).length === 0) continue;
          const text = `${master.name} of term ${master.epoch}: ${foreign} is of term ${book.offers.get(foreign)}`;
          world.fail('a term launches only on its own offers', text, [foreign]);
        }
        if (foreign !== undefined) count('calls with offers of another term');
      },
      agentStepped(agent, input, effects) {
        if (input.kind !== 'message') return;
        const { from, message } = input;
        if (message.name === 'AgentRegisteredMessage' || message.name === 'AgentReregisteredMessage') {
          const term = book.sent.get(`${from} ${agent.pid}`);
          const isAccepted = agent.core?.state.registration.registered === true;
          if (term !== undefined && isAccepted && agent.core?.state.registration.master === from)
            book.registered.set(agent.pid, term);
        }
        if (!effects.some(({ kind }) => kind === 'launch' || kind === 'checkpoint')) return;
        for (const task of tasksIn(message)) checkLaunch(book, agent, from, task);
      },
    },
  };

  function checkLaunch({ launches, registered, newest }: Book, agent: AgentNode, from: Pid, task: string): void {
    const term = launches.get(`${agent.pid} ${task}`);
    count('launches checked for their term');
    if (term !== undefined && term < newest) count('launches of deposed leaders');
    const last = registered.get(agent.pid);
    if (term === undefined || last === undefined || term === last) return;
    const text = `${agent.name}: ${task} of term ${term} from ${addressOfPid(from)}, registered in term ${last}`;
    world.fail('an agent starts tasks only of the term that registered it', text, [task]);
  }
}

type Send = Extract<MasterEffect, { readonly kind: 'send' }>;

function noteMessage(book: Book, { core, epoch }: MasterProcess, { to, message }: Send): void {
  const isRegistration = message.name === 'AgentRegisteredMessage' || message.name === 'AgentReregisteredMessage';
  const tasks = tasksIn(message);
  for (const pid of isRegistration || tasks.length > 0 ? to : []) {
    if (isRegistration) book.sent.set(`${core.state.identity.pid} ${pid}`, epoch);
    for (const task of tasks) book.launches.set(`${pid} ${task}`, epoch);
  }
}

/** The tasks that the message launches. */
function tasksIn({ name, body }: LibprocessMessage): readonly string[] {
  if (name === 'RunTaskMessage') return [body.task.task_id.value];
  return name === 'RunTaskGroupMessage' ? (body.task_group.tasks ?? []).map(({ task_id }) => task_id.value) : [];
}
