import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentId, idOf } from '@meseta/base';
import { add, contains, equals, type Resources, subtract, unallocate } from '@meseta/resources';
import type { FrameworkInfo, Offer, Task, TaskState } from '@meseta/wire';
import fc from 'fast-check';
import type { Context } from './context.js';
import type { MasterState } from './state.js';
import { usedOnAgent } from './tasks.js';
import { createWorld, resources, type TestAgent, type TestScheduler, task, type World } from './testing.js';

/** Checks the invariants of state.ts, offers.ts and registrar.ts on the whole state. */
function check(state: MasterState): void {
  const ctx: Context = { state, now: { monoMs: 0, wallMs: 0 }, effects: [] };
  const { agents, frameworks, offers } = state;
  const counts = new Map<TaskState, number>();
  for (const framework of frameworks.values()) {
    for (const [taskId, { state: taskState, agent_id }] of framework.tasks) {
      counts.set(taskState, (counts.get(taskState) ?? 0) + 1);
      const agent = agents.registered.get(idOf<AgentId>(agent_id));
      assert.ok(agent?.tasks.get(framework.id)?.has(taskId), `MASTER-STATE-1: task ${taskId} is on its agent`);
    }
    for (const id of framework.offers)
      assert.equal(offers.get(id)?.frameworkId, framework.id, 'MASTER-STATE-1: offers');
    if (framework.status !== 'active')
      assert.equal(framework.offers.size, 0, 'a framework that is not active has no offers');
  }
  for (const [taskState, n] of state.taskCounts)
    assert.equal(n, counts.get(taskState) ?? 0, `MASTER-STATE-1: count of ${taskState}`);
  for (const agent of agents.registered.values()) {
    for (const [frameworkId, taskIds] of agent.tasks) {
      const framework = frameworks.get(frameworkId);
      assert.ok(framework, 'MASTER-STATE-3');
      for (const taskId of taskIds)
        assert.ok(framework.tasks.has(taskId), 'MASTER-STATE-1: no task that its framework lacks');
    }
    let inUse: Resources = [];
    for (const used of usedOnAgent(ctx, agent).values()) inUse = add(inUse, used);
    for (const id of agent.offers) inUse = add(inUse, offers.get(id)?.resources ?? []);
    const plain = unallocate(inUse);
    assert.ok(contains(agent.totalResources, plain), `MASTER-STATE-4: ${JSON.stringify(plain)}`);
    const free = subtract(agent.totalResources, plain);
    assert.ok(
      equals(free, state.allocator.available(agent.id).resources),
      `ACCEPT-1, OFFERS-1: ${agent.id} has ${JSON.stringify(free)}`,
    );
    if (!agent.connected || agent.deactivated)
      assert.equal(agent.offers.size, 0, 'an agent that is disconnected or deactivated is not offered');
  }
  for (const agent of agents.registered.values()) {
    assert.equal(agents.byPid.get(agent.pid), agent.id, 'AGENTS-1: an agent has its pid to itself');
  }
  assert.equal(agents.byPid.size, agents.registered.size, 'AGENTS-1: every pid has an agent');
  for (const map of [agents.registered, agents.recovered, agents.unreachable, agents.gone]) {
    for (const id of map.keys()) {
      const places = [agents.registered, agents.recovered, agents.unreachable, agents.gone].filter((m) => m.has(id));
      assert.equal(places.length, 1, 'MASTER-STATE-2');
    }
  }
}

/** An action of an agent, a scheduler or an operator; the number chooses among them. */
type Step = readonly [
  kind:
    | 'launch'
    | 'decline'
    | 'update'
    | 'acknowledge'
    | 'break'
    | 'return'
    | 'leave'
    | 'resubscribe'
    | 'teardown'
    | 'wait'
    | 'reserve'
    | 'drain'
    | 'reactivate'
    | 'gone'
    | 'unregister'
    | 'deaf'
    | 'kill'
    | 'reconcile'
    | 'register'
    | 'store',
  pick: number,
];

class Walk {
  readonly world: World = createWorld({ agentReregisterTimeoutMs: 30_000, agentPingTimeoutMs: 5_000 });
  readonly agents: TestAgent[] = [this.world.agent(), this.world.agent(), this.world.agent()];
  readonly schedulers: TestScheduler[] = [
    this.world.subscribe({ checkpoint: true, failover_timeout: 20, roles: ['a'] }),
    this.world.subscribe({
      failover_timeout: 5,
      roles: ['a'],
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
    }),
  ];
  private tasks = 0;

  private one<T>(list: readonly T[], pick: number): T {
    return list[pick % list.length] as T;
  }

  private tasksOn(agent: TestAgent): { scheduler: TestScheduler; task: Task }[] {
    return this.schedulers.flatMap((scheduler) =>
      [...(this.world.master.state.frameworks.get(scheduler.id)?.tasks.values() ?? [])]
        .filter(({ agent_id }) => agent_id.value === agent.id)
        .map((known) => ({ scheduler, task: known })),
    );
  }

  private offerOf(scheduler: TestScheduler): Offer | undefined {
    const { state } = this.world.master;
    const [id] = state.frameworks.get(scheduler.id)?.offers ?? [];
    return id === undefined ? undefined : state.offers.get(id)?.offer;
  }

  take(step: Step): void {
    const [kind, pick] = step;
    const scheduler = this.one(this.schedulers, pick);
    const offer = this.offerOf(scheduler);
    switch (kind) {
      case 'launch':
        if (offer !== undefined)
          scheduler.launch(offer, task(`t${this.tasks++}`, offer), task(`t${this.tasks++}`, offer));
        break;
      case 'decline':
        if (offer !== undefined) scheduler.call({ type: 'DECLINE', decline: { offer_ids: [offer.id] } });
        break;
      case 'reserve': {
        const cpus = resources('cpus:0.5', offer).map((r) => ({
          ...r,
          reservations: [{ type: 'DYNAMIC' as const, role: 'a' }],
        }));
        if (offer === undefined) break;
        const operations = [{ type: 'RESERVE' as const, reserve: { resources: cpus } }];
        scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } });
        break;
      }
      case 'acknowledge':
        for (const event of scheduler.events.splice(0)) {
          if (event.update?.status.uuid !== undefined) scheduler.acknowledge(event.update.status);
        }
        break;
      case 'kill':
        scheduler.call({ type: 'KILL', kill: { task_id: { value: `t${pick % (this.tasks + 1)}` } } });
        break;
      case 'reconcile':
        scheduler.call({ type: 'RECONCILE', reconcile: {} });
        break;
      case 'leave':
        scheduler.disconnect();
        break;
      case 'resubscribe':
        this.schedulers[pick % this.schedulers.length] = this.world.subscribe({
          ...scheduler.info,
          id: { value: scheduler.id },
        });
        if (this.one(this.schedulers, pick).has('ERROR')) {
          const { id: _, ...info } = scheduler.info;
          this.schedulers[pick % this.schedulers.length] = this.world.subscribe(info);
        }
        break;
      case 'teardown':
        if (pick % 4 === 0) scheduler.call({ type: 'TEARDOWN' });
        break;
      case 'wait':
        this.world.wait((pick % 20) * 1_000);
        break;
      case 'store':
        this.holdStore(pick % 3 > 0);
        break;
      default:
        this.takeOfAgent(step);
    }
  }

  /** While the store is held, registry writes wait, and agents and operators act in the meantime. */
  holdStore(held: boolean): void {
    this.world.holdStore(held);
    if (!held && this.world.master.state.registrar.commits.inFlight.length > 0) this.world.completeWrites();
  }

  private takeOfAgent([kind, pick]: Step): void {
    const agent = this.one(this.agents, pick);
    const agent_id = { value: agent.id };
    switch (kind) {
      case 'update': {
        const known = this.one([...this.tasksOn(agent), undefined], pick);
        const states = ['TASK_RUNNING', 'TASK_FINISHED', 'TASK_FAILED'] as const;
        if (known !== undefined) agent.update(known.scheduler, known.task.task_id.value, this.one(states, pick >> 3));
        break;
      }
      case 'break':
        agent.breakConnection();
        break;
      case 'return': {
        const tasks = this.tasksOn(agent)
          .map(({ task: known }) => known)
          .filter((_, i) => (pick >> i) % 2 === 0);
        const frameworks = this.schedulers.flatMap((s) => this.world.master.state.frameworks.get(s.id)?.info ?? []);
        if (agent.id !== '') agent.reregister({ tasks, frameworks: frameworks as FrameworkInfo[] });
        break;
      }
      case 'register':
        agent.register();
        break;
      case 'deaf':
        agent.answersPings = !agent.answersPings;
        break;
      case 'drain':
        this.world.operator({ type: 'DRAIN_AGENT', drain_agent: { agent_id } });
        break;
      case 'reactivate':
        this.world.operator({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } });
        break;
      case 'gone':
        if (pick % 8 === 0) this.world.operator({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } });
        break;
      case 'unregister':
        if (pick % 8 === 1) agent.send({ name: 'UnregisterAgentMessage', body: { agent_id } });
        break;
      default:
        break;
    }
  }
}

const kinds: readonly Step[0][] = [
  ...(['launch', 'launch', 'launch', 'update', 'update', 'acknowledge', 'wait', 'wait', 'decline', 'reserve'] as const),
  ...(['break', 'return', 'return', 'leave', 'resubscribe', 'resubscribe', 'teardown', 'deaf', 'kill'] as const),
  ...(['reconcile', 'drain', 'reactivate', 'gone', 'unregister', 'register', 'store', 'store'] as const),
];

test('MASTER-STATE-1, MASTER-STATE-2, MASTER-STATE-3, MASTER-STATE-4, ACCEPT-1, OFFERS-1, OFFERS-3 and AGENTS-1 hold whatever agents, schedulers and operators do', () => {
  const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...kinds), fc.nat(1_000));
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
      const walk = new Walk();
      walk.world.wait(1_000);
      for (const each of steps) {
        walk.take(each);
        check(walk.world.master.state);
      }
      walk.holdStore(false);
      endsFree(walk);
    }),
    { numRuns: 150 },
  );
});

/** Once every framework has ended, no resources are offered or allocated. */
function endsFree({ world }: Walk): void {
  for (const framework of [...world.master.state.frameworks.values()]) {
    world.operator({ type: 'TEARDOWN', teardown: { framework_id: framework.wireId } });
  }
  assert.deepEqual(world.master.state.allocator.totals().offeredOrAllocatedTotal.names, []);
  assert.equal(
    [...world.master.state.taskCounts.values()].every((n) => n === 0),
    true,
  );
}

test('the same inputs give the same effects', () => {
  const play = (): string => {
    const walk = new Walk();
    for (let i = 0; i < 200; i++) walk.take([kinds[(i * 7) % kinds.length] as Step[0], i * 31]);
    return JSON.stringify(walk.world.effects, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
  };
  assert.equal(play(), play());
});
