import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import type { AgentInfo, ReregisterAgentMessage } from '@meseta/wire';
import { createWorld, resources, type WorldOptions } from '../testing.js';

const domain = { fault_domain: { region: { name: 'r' }, zone: { name: 'z' } } };

/** The warning about a (re-)registration with these fields; undefined if it was accepted. */
function warningAbout(
  { agent = {}, ...message }: Omit<Partial<ReregisterAgentMessage>, 'agent'> & { readonly agent?: Partial<AgentInfo> },
  options: WorldOptions = {},
): string | undefined {
  const world = createWorld(options);
  const info = { hostname: 'h', ...agent };
  const body = { version: '1.12.0', ...message, agent: info };
  const testAgent = world.agent('cpus:1', { unregistered: true });
  testAgent.send(
    info.id === undefined ? { name: 'RegisterAgentMessage', body } : { name: 'ReregisterAgentMessage', body },
  );
  const warnings = world.notes.flatMap((note) => (note.kind === 'log' && note.level === 'warning' ? [note.text] : []));
  const isAccepted = world.master.state.agents.registered.size === 1;
  assert.equal(isAccepted, warnings.length === 0, warnings.join());
  return warnings[0];
}

const id = { id: { value: 'S1' } };
const bad = { value: 'a/b' };
const good = { value: 'a' };
const task = {
  name: 't',
  task_id: good,
  framework_id: good,
  agent_id: id.id,
  state: 'TASK_RUNNING',
  resources: [],
} as const;
const executor = { executor_id: good, framework_id: good, resources: [] };
const framework = { user: 'u', name: 'n' };
const longText = 'x'.repeat(LIMITS.attributeText.most + 1);
const attribute = (name: string, value: string) => ({ name, type: 'TEXT', text: { value } }) as const;

test('a registration whose field is out of its bounds is ignored, and the warning names the field', () => {
  const table: readonly (readonly [Parameters<typeof warningAbout>[0], RegExp])[] = [
    [{ version: undefined }, /version: expected a version such as 1\.12\.0, got undefined/],
    [{ version: '1.12' }, /version: expected a version such as/],
    [{ version: 'v1.12.0' }, /version: expected a version such as/],
    [{ version: '0.28.1' }, /version: expected 1\.0\.0 or later, got 0\.28\.1/],
    [{ agent: { domain } }, /agent\.domain: must not be set/],
    [{ agent: { id: bad } }, /agent\.id: expected no slash/],
    [{ agent: id, frameworks: [framework, { ...framework, id: bad }] }, /frameworks\[1\]\.id: expected/],
    [{ agent: id, executor_infos: [{ ...executor, executor_id: bad }] }, /executor_infos\[0\]\.executor_id: expected/],
    [{ agent: id, executor_infos: [{ ...executor, framework_id: bad }] }, /executor_infos\[0\]\.framework_id: exp/],
    [{ agent: id, tasks: [task, { ...task, task_id: bad }] }, /tasks\[1\]\.task_id: expected/],
    [{ agent: id, tasks: [{ ...task, framework_id: bad }] }, /tasks\[0\]\.framework_id: expected/],
    [{ agent: id, tasks: [{ ...task, executor_id: bad }] }, /tasks\[0\]\.executor_id: expected/],
    [{ agent: { attributes: [attribute('a', 'b'), attribute('a', longText)] } }, /agent\.attributes\[1\]/],
    [{ agent: { attributes: [attribute(longText, 'b')] } }, /agent\.attributes\[0\]/],
    [{ agent: { attributes: [{ name: longText, type: 'SCALAR', scalar: { value: 1 } }] } }, /agent\.attributes\[0\]/],
    [{ agent: { resources: [{ name: 'cpus', type: 'SCALAR' }] } }, /agent\.resources\[0\]\.scalar/],
    [{ checkpointed_resources: [{ name: 'cpus', type: 'SCALAR' }] }, /checkpointed_resources\[0\]\.scalar/],
  ];
  for (const [message, expected] of table) assert.match(warningAbout(message) ?? 'accepted', expected);
});

test('a registration within its bounds is accepted', () => {
  const accepted: readonly Parameters<typeof warningAbout>[0][] = [
    {},
    { version: '10.12.10-dev' },
    { agent: { ...id, attributes: [attribute('rack', longText.slice(1))] } },
    { agent: id, frameworks: [{ ...framework, id: good }], tasks: [task], executor_infos: [executor] },
  ];
  for (const message of accepted) assert.equal(warningAbout(message), undefined);
});

test('--require_agent_domain refuses agents without a fault domain; a master with one accepts agents with one', () => {
  const wanting = { requireAgentDomain: true, domain };
  assert.match(warningAbout({}, wanting) ?? '', /agent\.domain: is missing, required by --require_agent_domain/);
  assert.equal(warningAbout({ agent: { domain } }, wanting), undefined);
  assert.equal(warningAbout({}, { domain }), undefined);
});

test('an agent with reservations must be authorized to register and to reserve', () => {
  const reserved = { agent: { resources: resources('cpus(a):1;mem:5') } };
  const unreserved = { agent: { resources: resources('cpus:1') } };
  const refusing = (action: string): WorldOptions => ({ authorize: (question) => question.action !== action });
  assert.match(warningAbout(unreserved, refusing('REGISTER_AGENT')) ?? '', /not authorized$/);
  assert.equal(warningAbout(unreserved, refusing('RESERVE_RESOURCES')), undefined);
  assert.match(warningAbout(reserved, refusing('RESERVE_RESOURCES')) ?? '', /not authorized/);
  assert.equal(warningAbout(reserved), undefined);
  const roles: (string | undefined)[] = [];
  warningAbout(reserved, {
    authorize: ({ action, value }) => {
      if (action === 'RESERVE_RESOURCES') roles.push(value);
      return true;
    },
  });
  assert.deepEqual(roles, ['a']);
});
