// What operators asked for, and were told is done: no failover brings back an earlier quota, weight, maintenance or gone agent.
//
// The calls and their answers are the only source; the registry's writes are not looked at, except for pruned agents. A value
// is possible after an election if a call asked for it, and no call that began after the end of that one was answered 200.
import type { AgentId } from '@meseta/base';
import { limitsFrom, quantitiesFrom } from '@meseta/resources';
import type { MasterCall, QuotaConfig } from '@meseta/wire';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { machineName } from './records.js';

export const wishes: CheckerKind = {
  name: 'wishes',
  invariants: {
    'a new leader has what operators were told is done':
      'The quotas, weights and maintenance of its registry and of its allocator, and the gone agents, are those of the last calls that were answered 200, or of calls without an answer.',
    'a leader registers no agent that operators were told is gone': 'Unless the registry pruned it.',
  },
  allowances: {
    unanswered: 'A call without an answer, or that a deposed master answered, may have changed the registry or not.',
    pausedInRecovery:
      'A leader that is paused while its first write is under way until another one is elected may recover with earlier values.',
  },
  create: createWishesChecker,
};

interface Wish {
  readonly value: string;
  readonly from: number;
  /** When it was answered, or its master was replaced. */
  until: number;
  wasDone: boolean;
}

interface Book {
  /** Orders the calls, the answers and the elections. */
  tick: number;
  /** By what is changed. */
  readonly wishes: Map<string, Wish[]>;
  readonly gone: Set<string>;
  /** The calls without an answer, by master and request; of the master that was elected last. */
  readonly pending: Map<MasterProcess, Map<string, PendingCall>>;
}

interface PendingCall {
  readonly call: MasterCall;
  readonly wishes: readonly Wish[];
}

function createWishesChecker(cluster: Cluster, count: Count): Checker {
  const { world, masters, plan } = cluster;
  const book: Book = { tick: 0, wishes: new Map(), gone: new Set(), pending: new Map() };
  const checked = new WeakSet<MasterProcess>();
  const checkLeader = (master: MasterProcess): void => {
    checkWishes(cluster, book, master);
    count('wishes of operators checked', book.wishes.size + book.gone.size);
  };
  return {
    observer: {
      masterStarted(master) {
        book.tick++;
        // The new term has read the registry: nothing of an earlier one is written any more.
        for (const calls of book.pending.values())
          for (const call of calls.values()) for (const wish of call.wishes) wish.until = book.tick;
        book.pending.clear();
        book.pending.set(master, new Map());
      },
      registryWritten(operations) {
        for (const operation of operations)
          if (operation.kind === 'pruneAgents') for (const id of operation.gone) book.gone.delete(id);
      },
      beforeMasterStep(master, input) {
        if (input.kind === 'operatorCall')
          book.pending.get(master)?.set(input.request, noteCall(book, input.call, plan.weights));
      },
      masterStepped(master, _input, effects) {
        for (const effect of effects) {
          if (effect.kind === 'reply')
            recordResponse(book, master, effect.request, effect.reply.status, masters.leader() === master);
          if (effect.kind !== 'send' || book.gone.size === 0 || masters.leader() !== master) continue;
          const { name, body } = effect.message;
          if (name !== 'AgentRegisteredMessage' && name !== 'AgentReregisteredMessage') continue;
          const id = body.agent_id.value;
          if (!book.gone.has(id)) continue;
          world.fail('a leader registers no agent that operators were told is gone', `${master.name}: ${id}`, [id]);
        }
        // `pausedInRecovery`: only the master that was elected last has calls.
        if (!master.core.state.recovered || checked.has(master) || !book.pending.has(master)) return;
        checked.add(master);
        checkLeader(master);
      },
    },
    checkQuiescence() {
      const leader = masters.leader();
      if (leader !== undefined) checkLeader(leader);
    },
  };
}

const quotaText = ({ guarantees = {}, limits = {} }: Pick<QuotaConfig, 'guarantees' | 'limits'>): string =>
  JSON.stringify([quantitiesFrom(guarantees), limitsFrom(limits)]);

const NO_QUOTA = quotaText({});

/** What the call changes, and the value that it asks for. */
function wishesOf(call: MasterCall): readonly (readonly [what: string, value: string])[] {
  const machines = (ids = call.start_maintenance?.machines ?? call.stop_maintenance?.machines ?? []) =>
    ids.map((id) => `down ${machineName(id)}`);
  switch (call.type) {
    case 'UPDATE_QUOTA':
      return (call.update_quota?.quota_configs ?? []).map((it) => [`quota ${it.role}`, quotaText(it)]);
    case 'UPDATE_WEIGHTS':
      return (call.update_weights?.weight_infos ?? []).map((it) => [`weight ${it.role}`, `${it.weight}`]);
    case 'START_MAINTENANCE':
      return machines().map((what) => [what, 'true']);
    case 'STOP_MAINTENANCE':
      return machines().map((what) => [what, 'false']);
    default:
      return [];
  }
}

/** The values before the first call: those of the master's flag, or none. */
function initialValues(what: string, weights: ReadonlyMap<string, number>): readonly string[] {
  if (what.startsWith('weight ')) return ['1', `${weights.get(what.slice('weight '.length)) ?? 1}`];
  return [what.startsWith('quota ') ? NO_QUOTA : 'false'];
}

function noteCall(book: Book, call: MasterCall, weights: ReadonlyMap<string, number>): PendingCall {
  book.tick++;
  const made = wishesOf(call).map(([what, value]) => {
    const wish: Wish = { value, from: book.tick, until: Number.POSITIVE_INFINITY, wasDone: false };
    const initial = initialValues(what, weights).map((it) => ({ value: it, from: 0, until: 0, wasDone: false }));
    const known = book.wishes.get(what) ?? initial;
    known.push(wish);
    book.wishes.set(what, known);
    return wish;
  });
  return { call, wishes: made };
}

function recordResponse(book: Book, master: MasterProcess, request: string, status: number, leads: boolean): void {
  const pending = book.pending.get(master)?.get(request);
  if (pending === undefined || (status === 200 && !leads)) return;
  book.tick++;
  book.pending.get(master)?.delete(request);
  const { call, wishes: made } = pending;
  for (const wish of made) {
    wish.until = book.tick;
    wish.wasDone = status === 200;
  }
  if (status === 200 && call.mark_agent_gone !== undefined) book.gone.add(call.mark_agent_gone.agent_id.value);
  // A refused call changes nothing.
  if (status !== 200)
    for (const known of book.wishes.values())
      known.splice(0, known.length, ...known.filter((it) => !made.includes(it)));
}

const isPossible = (known: readonly Wish[], value: string): boolean =>
  known.some((wish) => wish.value === value && !known.some((later) => later.wasDone && later.from > wish.until));

/** The value in the master's registry, and the one that its allocator uses. */
function valuesAt({ core: { state } }: MasterProcess, what: string): readonly string[] {
  const { quotas, weights, machines } = state.registrar.durable;
  const name = what.slice(what.indexOf(' ') + 1);
  if (what.startsWith('quota '))
    return [quotaText(quotas.get(name) ?? {}), quotaInUse(state.allocator.roleUsage(name))];
  if (what.startsWith('weight ')) return [`${weights.get(name) ?? 1}`, `${state.allocator.roleUsage(name).weight}`];
  const machine = [...machines.values()].find(({ id }) => machineName(id) === name);
  return [`${machine?.mode === 'DOWN'}`];
}

const quotaInUse = ({ quota }: ReturnType<MasterProcess['core']['state']['allocator']['roleUsage']>): string =>
  JSON.stringify([quota.guarantees, quota.limits]);

function checkWishes({ world }: Cluster, book: Book, master: MasterProcess): void {
  const fail = (text: string): never =>
    world.fail('a new leader has what operators were told is done', `${master.name}: ${text}`);
  for (const [what, known] of book.wishes) {
    for (const value of valuesAt(master, what)) {
      if (isPossible(known, value)) continue;
      const done = known.filter(({ wasDone }) => wasDone).map((it) => it.value);
      fail(`${what} is ${value}; answered 200 was ${done.join(', then ')}`);
    }
  }
  for (const id of book.gone) if (!master.core.state.agents.gone.has(id as AgentId)) fail(`agent ${id} is not gone`);
}
