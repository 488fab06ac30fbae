import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from './testing.js';

test('the version grows with steps that change what views show, and not with pings, pongs and heartbeats', () => {
  const world = createWorld();
  const { state } = world.master;
  const grows = (act: () => void): boolean => {
    const before = state.version;
    act();
    assert.ok(state.version >= before);
    return state.version > before;
  };
  let agent = world.agent('cpus:1;mem:64', { unregistered: true });
  assert.equal(
    grows(() => agent.register()),
    true,
  );
  const scheduler = world.subscribe({ roles: ['a'], failover_timeout: 3_600 });
  assert.equal(
    grows(() => world.wait(1_000)),
    false,
    'an allocation run without offers',
  );
  scheduler.call({ type: 'SUPPRESS' });
  agent.answersPings = false;
  assert.equal(
    grows(() => agent.send({ name: 'PongAgentMessage', body: {} })),
    false,
    'a pong',
  );
  assert.equal(
    grows(() => world.wait(14_000)),
    false,
    'a ping and a heartbeat',
  );
  agent = world.agent('cpus:1;mem:64');
  assert.equal(
    grows(() => scheduler.call({ type: 'REVIVE' })),
    true,
  );
  assert.equal(
    grows(() => world.feed({ kind: 'continue' })),
    false,
    'no job and nothing to allocate',
  );
  scheduler.disconnect();
  assert.equal(
    grows(() => world.wait(3_600_000)),
    true,
    'the failover timeout',
  );
});

test('an allocation run with offers changes what views show', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe({ roles: ['a'] });
  world.wait(1_000);
  scheduler.call({ type: 'DECLINE', decline: { offer_ids: [scheduler.offer().id], filters: { refuse_seconds: 2 } } });
  const before = world.master.state.version;
  world.wait(5_000);
  assert.equal(scheduler.has('OFFERS'), true);
  assert.ok(world.master.state.version > before);
});
