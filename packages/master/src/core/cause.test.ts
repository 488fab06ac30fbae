import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeOf } from './cause.js';
import type { MasterInput, RequestId } from './io.js';
import { createWorld, type World } from './testing.js';

const causes = (world: World, text: RegExp): readonly (string | undefined)[] =>
  world.notes.flatMap((note) => (note.kind === 'log' && text.test(note.text) ? [note.cause] : []));

test("LOG-2: calls of a framework do not suppress the log lines of an operator's calls", () => {
  const call = { type: 'TEARDOWN', framework_id: { value: 'f' } } as const;
  const request = 'call-1' as RequestId;
  const operatorCall: MasterInput = { kind: 'operatorCall', request, principal: undefined, call };
  const schedulerCall = { kind: 'schedulerCall', call } as MasterInput;
  assert.notEqual(causeOf(operatorCall), causeOf(schedulerCall));
});

test('LOG-2: a line that is written when the registry has answered has the message that proposed the write as its cause', () => {
  const world = createWorld();
  const agent = world.agent('cpus:1;mem:64');
  agent.breakConnection();
  agent.reregister();
  const other = world.agent('cpus:1;mem:64');
  world.operator({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: other.id } } });
  agent.answersPings = false;
  world.wait(10 * 60_000);
  assert.deepEqual(causes(world, / registered at /), ['RegisterAgentMessage', 'RegisterAgentMessage']);
  assert.deepEqual(causes(world, / is gone$/), ["operator's MARK_AGENT_GONE"]);
  assert.deepEqual(causes(world, / is unreachable/), [undefined]);
});
