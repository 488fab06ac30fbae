import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, wireNameOf } from './libprocess-codec.js';
import { renderWireError } from './wire-error.js';

const FACTS = '../shared/facts/libprocess-messages.json';

const skip = existsSync(FACTS) ? false : `${FACTS} is not here: the captured messages can't be compared`;

interface Captured {
  readonly name: string;
  readonly bytes: string;
  readonly json: unknown;
}

const captured = (): readonly Captured[] => JSON.parse(readFileSync(FACTS, 'utf8')) as readonly Captured[];

/** The captured message with the names of the schema. */
function renamed(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(renamed);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key.replace('slave', 'agent'), renamed(value)]),
  );
}

test('messages captured between real actors decode and encode byte for byte', { skip }, () => {
  assert.ok(captured().length > 0);
  for (const { name, bytes, json } of captured()) {
    const decoded = decodeMessage(name, Buffer.from(bytes, 'base64'));
    assert.ok(decoded.ok, `${name}: ${JSON.stringify(decoded)}`);
    const encoded = encodeMessage(decoded.value);
    assert.equal(encoded.wireName, name);
    assert.equal(Buffer.from(encoded.bytes).toString('base64'), bytes, name);
    assert.deepEqual(JSON.parse(JSON.stringify(decoded.value.body)), renamed(json), name);
  }
});

test("every message of Mesos' masters, agents, drivers and executors has a codec under its name", { skip }, () => {
  const fields = readFileSync('../shared/facts/internal-fields.csv', 'utf8');
  const names = new Set(fields.match(/^mesos\.internal\.\w+Message(?=,)/gm));
  assert.ok(names.size > 50);
  for (const name of [...names, 'mesos.scheduler.Call']) {
    const decoded = decodeMessage(name, new Uint8Array());
    assert.ok(decoded.ok || decoded.error.code === 'missing', name);
    if (decoded.ok) assert.deepEqual(encodeMessage(decoded.value), { wireName: name, bytes: new Uint8Array() });
  }
});

test('a name that is not of a message is refused', () => {
  for (const name of ['', 'mesos.internal.RegisterAgentMessage', 'RegisterSlaveMessage', 'constructor']) {
    const decoded = decodeMessage(name, new Uint8Array());
    assert.ok(!decoded.ok && decoded.error.code === 'unknownMessage' && decoded.error.message === name);
  }
});

test("a v0 driver's Subscribe has other field numbers than v1's", () => {
  const framework_info = { user: 'u', name: 'n' };
  const body = { subscribe: { framework_info, force: true, suppressed_roles: ['r'] } };
  const { wireName, bytes } = encodeMessage({ name: 'SchedulerCall', body });
  assert.equal(wireName, 'mesos.scheduler.Call');
  assert.equal(Buffer.from(bytes).toString('hex'), '1a0d0a060a017512016e10011a0172');
  assert.deepEqual(decodeMessage(wireName, bytes), { ok: true, value: { name: 'SchedulerCall', body } });
});

test('names of messages: an agent is a slave on the wire, and the call of a driver is in another package', () => {
  const table = [
    ['RegisterAgentMessage', 'mesos.internal.RegisterSlaveMessage'],
    ['AgentReregisteredMessage', 'mesos.internal.SlaveReregisteredMessage'],
    ['RunTaskMessage', 'mesos.internal.RunTaskMessage'],
    ['SchedulerCall', 'mesos.scheduler.Call'],
  ] as const;
  for (const [name, wireName] of table) assert.equal(wireNameOf(name), wireName);
  const shutdown = { name: 'ShutdownMessage', body: { message: 'x' } } as const;
  const { wireName, bytes } = encodeMessage(shutdown);
  assert.deepEqual(decodeMessage(wireName, bytes), { ok: true, value: shutdown });
  const unknown = decodeMessage('mesos.internal.X', bytes);
  assert.equal(
    unknown.ok ? '' : renderWireError(unknown.error),
    'mesos.internal.X: expected the name of a message between masters, agents and drivers',
  );
});
