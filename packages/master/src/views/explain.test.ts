import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExplainRequest, Explanation } from '@meseta/api';
import { createWorld, type TestScheduler, task, type World } from '../core/testing.js';
import { type Approver, approveAll } from './approver.js';
import { explain } from './explain.js';

function asked(world: World, request: ExplainRequest, approver: Approver = approveAll): Explanation {
  const answer = explain(world.master.state, request, approver, world.now());
  assert.ok(answer.ok, answer.ok ? '' : answer.error);
  return answer.value;
}

const kinds = ({ reasons }: Explanation) => reasons.map(({ kind }) => kind);

const decline = (scheduler: TestScheduler, refuse_seconds: number) =>
  scheduler.call({ type: 'DECLINE', decline: { offer_ids: [scheduler.offer().id], filters: { refuse_seconds } } });

const WITHOUT_OFFER: readonly (readonly [
  kind: string,
  answer: RegExp,
  arrange: (world: World) => TestScheduler,
  figures?: object,
])[] = [
  ['no_agents', /No agent is registered/, (world) => world.subscribe()],
  [
    'offered',
    /1 offer that it has neither accepted nor declined, of agent0/,
    (world) => {
      world.agent();
      const scheduler = world.subscribe();
      world.wait(1_000);
      return scheduler;
    },
  ],
  [
    'suppressed',
    /suppressed offers for the role \*/,
    (world) => {
      const scheduler = world.subscribe();
      scheduler.call({ type: 'SUPPRESS' });
      world.agent();
      world.wait(1_000);
      return scheduler;
    },
  ],
  [
    'filtered',
    /declined 4 cpus, 8192 MB of disk, 4096 MB of mem there .* for 10 min /,
    (world) => {
      world.agent();
      const scheduler = world.subscribe();
      world.wait(1_000);
      decline(scheduler, 600);
      return scheduler;
    },
    { refused: { cpus: 4, disk: 8192, mem: 4096 } },
  ],
  [
    'framework_inactive',
    /scheduler is disconnected; .* failover_timeout \(2 min/,
    (world) => {
      world.agent();
      const scheduler = world.subscribe({ failover_timeout: 120 });
      scheduler.disconnect();
      return scheduler;
    },
  ],
  [
    'agent_deactivated',
    /On 1 agent: An operator has deactivated/,
    (world) => {
      const agent = world.agent();
      world.operator({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: { value: agent.id } } });
      return world.subscribe();
    },
  ],
  [
    'nothing_free',
    /in use or offered \(4 cpus/,
    (world) => {
      world.agent();
      world.subscribe({ name: 'greedy' });
      world.wait(1_000);
      const second = world.subscribe({ name: 'second' });
      world.wait(1_000);
      return second;
    },
  ],
  [
    'limit',
    /quota limit of the role web is reached: nothing used of 0 cpus/,
    (world) => {
      const limits = { cpus: { value: 0 }, mem: { value: 0 } };
      world.operator({ type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'web', limits }] } });
      const scheduler = world.subscribe({ roles: ['web'] });
      world.agent('cpus:4;mem:4096');
      world.wait(1_000);
      return scheduler;
    },
  ],
];

test('no offer: the reason with the highest precedence comes first, with its figures', () => {
  for (const [kind, answer, arrange, figures] of WITHOUT_OFFER) {
    const world = createWorld();
    const explained = asked(world, { framework_id: arrange(world).id });
    assert.equal(explained.reasons[0]?.kind, kind, JSON.stringify(explained));
    assert.match(explained.answer, answer);
    if (figures !== undefined) assert.deepEqual(explained.reasons[0]?.figures, figures);
  }
});

test('a filter is explained with its remaining time; an agent and a role narrow the explanation', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ roles: ['a'] });
  world.wait(1_000);
  const role = 'a';
  decline(scheduler, 600);
  world.wait(60_000);
  const [reason] = asked(world, { framework_id: scheduler.id, agent_id: agent.id, role }).reasons;
  assert.equal(reason?.kind, 'filtered');
  assert.equal(reason?.role, role);
  assert.equal(reason?.agent_id, agent.id);
  // Filters expire in buckets, a little late.
  const leftSeconds = (reason?.until ?? 0) - world.now().wallMs / 1000;
  assert.ok(leftSeconds >= 540 && leftSeconds < 550, `${leftSeconds}`);
  assert.deepEqual(kinds(asked(world, { framework_id: scheduler.id, role: 'c' })), ['not_subscribed_to_role']);
  assert.match(asked(world, { framework_id: scheduler.id, agent_id: 'S9' }).answer, /No agent S9/);
});

test('the frameworks that have the resources are named only if the viewer may see them', () => {
  const world = createWorld();
  world.agent();
  const greedy = world.subscribe({ name: 'greedy' });
  world.wait(1_000);
  const poor = world.subscribe({ name: 'poor' });
  world.wait(1_000);
  const share = (approver: Approver) =>
    asked(world, { framework_id: poor.id }, approver).reasons.find(({ kind }) => kind === 'share')?.text ?? '';
  assert.match(
    share(approveAll),
    /allocated or offered to greedy \(role \*, share 100\.0 %\): 4 cpus.* of that only offered/,
  );
  const own: Approver = { ...approveAll, key: 'own', framework: ({ id }) => id !== greedy.id };
  assert.doesNotMatch(share(own), /greedy/);
  assert.equal(explain(world.master.state, { framework_id: greedy.id }, own, world.now()).ok, false);
});

test('a role for which resources are reserved, or in which they are allocated, is named only if the viewer may see it', () => {
  const world = createWorld();
  world.agent('cpus(hidden):4;mem(hidden):4096');
  const scheduler = world.subscribe({ roles: ['a'] });
  world.agent();
  world.subscribe({ roles: ['hidden'] });
  world.wait(1_000);
  const other = world.subscribe({ roles: ['a'] });
  world.wait(1_000);
  const withoutHidden: Approver = { ...approveAll, key: 'no hidden', role: (role) => role !== 'hidden' };
  for (const { id } of [scheduler, other]) {
    const text = (approver: Approver) => JSON.stringify(asked(world, { framework_id: id }, approver));
    assert.match(text(approveAll), /hidden/);
    assert.doesNotMatch(text(withoutHidden), /hidden/);
  }
});

test('a task is explained in each of its states, from never launched to ended', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ checkpoint: true });
  world.wait(1_000);
  const question = { task_id: 't' };
  assert.deepEqual(explain(world.master.state, question, approveAll, world.now()), {
    ok: false,
    error: 'task_id: no framework has a task t',
  });
  const never = asked(world, { ...question, framework_id: scheduler.id });
  assert.deepEqual(kinds(never).slice(0, 2), ['not_launched', 'offered']);
  assert.match(never.answer, /^Task t was never launched\./);

  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  assert.match(asked(world, question).answer, /sent to agent0, which has not reported that it started/);
  agent.update(scheduler, 't', 'TASK_RUNNING');
  const running = scheduler.status();
  agent.update(scheduler, 't', 'TASK_RUNNING', 'TASK_FAILED');
  assert.deepEqual(kinds(asked(world, question)), ['task_state', 'unacknowledged']);
  scheduler.acknowledge(running);
  agent.breakConnection();
  assert.ok(kinds(asked(world, question)).includes('agent_disconnected'));
});
