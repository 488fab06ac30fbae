import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeOf } from './cause.js';
import type { AgentInput, ConnectionId } from './io.js';
import { MASTER } from './testing.js';

test('what peers send has a cause, by kind; what this machine reports has none', () => {
  const connection = 'c' as ConnectionId;
  const message = { name: 'PingAgentMessage', body: { connected: true } } as const;
  const ids = { executor_id: { value: 'e' }, framework_id: { value: 'f-1' } };
  const table: readonly (readonly [AgentInput, string | undefined])[] = [
    [{ kind: 'message', from: MASTER, message }, 'PingAgentMessage'],
    [{ kind: 'executorCall', connection, call: { ...ids, type: 'HEARTBEAT' } }, 'HEARTBEAT'],
    [{ kind: 'containerCall', connection, call: { type: 'KILL_CONTAINER' } }, 'KILL_CONTAINER'],
    [{ kind: 'containerCall', connection, call: {} }, 'UNKNOWN'],
    [{ kind: 'streamClosed', connection }, 'streamClosed'],
    [{ kind: 'peerLost', address: '10.0.0.1:5050' }, 'peerLost'],
    [{ kind: 'masterDetected', master: MASTER }, undefined],
    [{ kind: 'overload', cause: 'the load is 9' }, undefined],
    [{ kind: 'persisted' }, undefined],
    [{ kind: 'tick' }, undefined],
  ];
  for (const [input, cause] of table) assert.equal(causeOf(input), cause, input.kind);
});
