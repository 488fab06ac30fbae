import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExplainRequestCodec, ExplanationCodec, KillTaskRequestCodec } from './extension-codecs.js';
import type { Explanation } from './extensions.js';

test('a request to kill a task is read as it was written', () => {
  const request = {
    framework_id: { value: 'f' },
    task_id: { value: 't' },
    kill_policy: { grace_period: { nanoseconds: 5_000_000_000 } },
  };
  assert.deepEqual(KillTaskRequestCodec.parse(KillTaskRequestCodec.write(request)), { ok: true, value: request });
  const { kill_policy: _, ...required } = request;
  assert.deepEqual(KillTaskRequestCodec.parse(JSON.stringify(required)), { ok: true, value: required });
});

const INVALID_KILLS: readonly (readonly [body: string, error: RegExp])[] = [
  ['{', /^Body: expected a JSON object$/],
  ['[]', /^Body: expected a JSON object$/],
  ['null', /^Body: expected a JSON object$/],
  ['{"task_id": {"value": "t"}}', /^Field 'framework_id' is required but missing$/],
  ['{"framework_id": "f", "task_id": {"value": "t"}}', /^framework_id: .*expected an object/],
  ['{"framework_id": {"value": "f"}}', /field 'task_id' .* is required but missing/],
  ['{"framework_id": {"value": "f"}, "task_id": {}}', /field 'task_id.value' .* is required but missing/],
  [
    '{"framework_id": {"value": "f"}, "task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": "x"}}}',
    /field 'kill_policy.grace_period.nanoseconds'/,
  ],
];
for (const [body, error] of INVALID_KILLS) {
  test(`a request to kill a task is refused with the field that is wrong: ${body}`, () => {
    const parsed = KillTaskRequestCodec.parse(body);
    assert.match(parsed.ok ? '' : parsed.error, error);
  });
}

test('a query for an explanation is read as it was written; it names a framework or a task', () => {
  const all = { framework_id: 'f', agent_id: 'a', role: 'x/y&z', task_id: 't' };
  const parse = (query: string) => ExplainRequestCodec.parse(new URLSearchParams(query));
  assert.equal(ExplainRequestCodec.write({ framework_id: 'f', role: undefined }), 'framework_id=f');
  assert.deepEqual(parse(ExplainRequestCodec.write(all)), { ok: true, value: all });
  const none = { framework_id: undefined, agent_id: undefined, role: undefined, task_id: undefined };
  assert.deepEqual(parse('framework_id=f&role='), { ok: true, value: { ...none, framework_id: 'f' } });
  assert.deepEqual(parse('task_id=t'), { ok: true, value: { ...none, task_id: 't' } });
  const error = "Parameter 'framework_id' or 'task_id': one is required";
  assert.deepEqual(parse('agent_id=a&role=r&framework_id='), { ok: false, error });
});

const EXPLANATION: Explanation = {
  answer: 'Task t: it runs.',
  framework: {
    id: 'f',
    name: 'web',
    status: 'active',
    roles: ['a', 'b'],
    suppressed_roles: ['b'],
    open_offers: 2,
    shares: { a: 0.5 },
  },
  task: { id: 't', state: 'TASK_RUNNING', agent_id: 's', hostname: 'host' },
  reasons: [
    { kind: 'task_state', text: 'It runs.', agent_id: 's', hostname: 'host', figures: { state: 'TASK_RUNNING' } },
    { kind: 'filtered', text: 'Declined.', role: 'a', agents: 3, until: 12.5 },
  ],
};

test('an explanation is read as it was written; only its answer and reasons are required', () => {
  assert.deepEqual(ExplanationCodec.parse(ExplanationCodec.write(EXPLANATION)), { ok: true, value: EXPLANATION });
  const least: Explanation = { answer: 'It has ended.', reasons: [] };
  assert.deepEqual(ExplanationCodec.parse(JSON.stringify(least)), { ok: true, value: least });
});

const { framework, task } = EXPLANATION;
const INVALID_EXPLANATIONS: readonly (readonly [json: unknown, error: string])[] = [
  [[], 'expected an object'],
  [{ reasons: [] }, 'answer: expected a string'],
  [{ answer: 'x' }, 'reasons: expected a list'],
  [{ answer: 'x', reasons: [{ kind: 'share', text: 'y' }, 7] }, 'reasons[1]: expected an object'],
  [{ answer: 'x', reasons: [{ kind: 'share' }] }, 'reasons[0].text: expected a string'],
  [{ answer: 'x', reasons: [{ kind: 'share', text: 'y', until: '1' }] }, 'reasons[0].until: expected a number'],
  [{ answer: 'x', reasons: [{ kind: 'share', text: 'y', figures: [] }] }, 'reasons[0].figures: expected an object'],
  [{ answer: 'x', reasons: [], framework: null }, 'framework: expected an object'],
  [{ answer: 'x', reasons: [], framework: { ...framework, roles: ['a', 1] } }, 'framework.roles[1]: expected a string'],
  [
    { answer: 'x', reasons: [], framework: { ...framework, shares: { a: '1' } } },
    'framework.shares.a: expected a number',
  ],
  [{ answer: 'x', reasons: [], framework: { ...framework, shares: 1 } }, 'framework.shares: expected an object'],
  [{ answer: 'x', reasons: [], task: { ...task, state: undefined } }, 'task.state: expected a string'],
];
for (const [json, error] of INVALID_EXPLANATIONS) {
  test(`a response that is no explanation is refused: ${error}`, () => {
    assert.deepEqual(ExplanationCodec.parse(JSON.stringify(json)), { ok: false, error });
  });
}

test('a response that is not JSON is no explanation', () => {
  assert.deepEqual(ExplanationCodec.parse('<html>'), { ok: false, error: 'expected JSON' });
});
