import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import fc from 'fast-check';
import { decodeAgentInfo, encodeAgentInfo } from './agent-info.js';
import { decodeRegistry, encodeOperations, encodeRegistry } from './encode.js';
import { applyToRegistry, type RegistryOperation } from './operations.js';
import { emptyRegistry, type RegistryState } from './state.js';

const ids = ['a', 'b', 'c'] as const;
const info = (id: string): AgentInfo => ({ hostname: `host-${id}`, id: { value: id }, port: 5051 });
const encoded = (id: string, port = 5051) => encodeAgentInfo({ ...info(id), port });
const agentId = fc.constantFrom(...ids).map((id) => id as unknown as AgentId);
const machine = fc.constantFrom(...ids).map((hostname) => ({ hostname, ip: '10.0.0.1' }));
const unavailability = { start: { nanoseconds: 1_700_000_000_000_000_001n }, duration: { nanoseconds: 5 } };

const operation: fc.Arbitrary<RegistryOperation> = fc.oneof(
  agentId.map((id) => ({ kind: 'admitAgent', agentId: id, info: encoded(id) }) as const),
  agentId.map((id) => ({ kind: 'updateAgent', agentId: id, info: encoded(id, 1) }) as const),
  agentId.map((id) => ({ kind: 'markAgentUnreachable', agentId: id, atMs: 5 }) as const),
  agentId.map((id) => ({ kind: 'markAgentReachable', agentId: id, info: encoded(id) }) as const),
  agentId.map((id) => ({ kind: 'markAgentGone', agentId: id, atMs: 6 }) as const),
  agentId.map((id) => ({ kind: 'removeAgent', agentId: id }) as const),
  agentId.map((id) => ({ kind: 'pruneAgents', unreachable: [id], gone: [id] }) as const),
  agentId.map((id) => ({ kind: 'drainAgent', agentId: id, config: { mark_gone: true } }) as const),
  agentId.map((id) => ({ kind: 'markAgentDrained', agentId: id }) as const),
  agentId.map((id) => ({ kind: 'deactivateAgent', agentId: id }) as const),
  agentId.map((id) => ({ kind: 'reactivateAgent', agentId: id }) as const),
  fc.constantFrom(...ids).map((role) => ({ kind: 'updateWeights', weights: [{ role, weight: 2 }] }) as const),
  fc
    .tuple(fc.constantFrom(...ids), fc.boolean())
    .map(
      ([role, set]) =>
        ({ kind: 'updateQuota', configs: [set ? { role, limits: { cpus: { value: 1 } } } : { role }] }) as const,
    ),
  fc.uniqueArray(machine, { selector: (m) => m.hostname }).map(
    (machines) =>
      ({
        kind: 'updateMaintenance',
        schedule: machines.length === 0 ? {} : { windows: [{ machine_ids: machines, unavailability }] },
      }) as const,
  ),
  machine.map((id) => ({ kind: 'startMaintenance', machines: [id] }) as const),
  machine.map((id) => ({ kind: 'stopMaintenance', machines: [id] }) as const),
);

function applyAll(operations: readonly RegistryOperation[]): { registry: RegistryState; applied: RegistryOperation[] } {
  const registry = emptyRegistry();
  const applied = operations.filter((op) => {
    const before = structuredClone(registry);
    const result = applyToRegistry(registry, op);
    if (!result.ok) assert.deepEqual(registry, before, `${op.kind} failed and changed something`);
    if (result.ok && !result.value) assert.deepEqual(registry, before, `${op.kind} says that nothing changed`);
    return result.ok && result.value;
  });
  return { registry, applied };
}

test('REGISTRY-1: an agent is in one place at most; a failed operation changes nothing', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const { registry } = applyAll(operations);
      for (const id of ids) {
        const places = [registry.agents, registry.unreachable, registry.gone].filter((map) => map.has(id as never));
        assert.ok(places.length <= 1, id);
      }
      const deactivated = [...registry.agents.values(), ...registry.unreachable.values()].some((a) => a.deactivated);
      if (deactivated) assert.ok(registry.minimumCapabilities.has('AGENT_DRAINING'));
      assert.equal(registry.minimumCapabilities.has('QUOTA_V2'), registry.quotas.size > 0);
    }),
  );
});

test('REGISTRY-2: log and snapshot both give the registry back', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 20 }), fc.nat(), (operations, split) => {
      const { registry, applied } = applyAll(operations);
      const plain = JSON.parse(JSON.stringify([...encodeRegistry(registry)]));
      const fromLog = decodeRegistry(
        undefined,
        applied.map((op) => encodeOperations([op])),
      );
      assert.deepEqual([...encodeRegistry(fromLog)], plain);
      const at = applied.length === 0 ? 0 : split % applied.length;
      const half = applyAll(applied.slice(0, at)).registry;
      const rest = applied.slice(at);
      const fromBoth = decodeRegistry(
        [...encodeRegistry(half)].join(''),
        rest.length === 0 ? [] : [encodeOperations(rest)],
      );
      assert.deepEqual([...encodeRegistry(fromBoth)], plain);
    }),
  );
});

test('a drained agent stays drained through unreachable and back', () => {
  const registry = emptyRegistry();
  const a = 'a' as unknown as AgentId;
  const steps: readonly RegistryOperation[] = [
    { kind: 'admitAgent', agentId: a, info: encoded('a') },
    { kind: 'drainAgent', agentId: a, config: {} },
    { kind: 'markAgentUnreachable', agentId: a, atMs: 1 },
    { kind: 'markAgentDrained', agentId: a },
    { kind: 'markAgentReachable', agentId: a, info: encoded('a') },
  ];
  for (const step of steps) assert.equal(applyToRegistry(registry, step).ok, true, step.kind);
  assert.deepEqual(registry.agents.get(a)?.drainInfo, { state: 'DRAINED', config: {} });
  assert.equal(registry.agents.get(a)?.deactivated, true);
});

test('ENCODE-2: what an earlier version wrote is read, with its infos as they are encoded now', () => {
  const record = { info: { ...info('a'), attributes: [{ name: 'rack', type: 'TEXT', text: { value: '"}]' } }] } };
  const admitted = { kind: 'admitAgent', info: info('b') };
  const drained = { ...record, info: { ...info('c'), checkpoint: true }, deactivated: true };
  const snapshot = [
    ['agent', 'a', record],
    ['agent', 'c', drained],
    ['weight', 'r', 2],
  ].map((line) => JSON.stringify(line));
  const registry = decodeRegistry(`${snapshot.join('\n')}\n`, [JSON.stringify(admitted)]);
  assert.deepEqual([...registry.agents.keys()], ['a', 'c', 'b']);
  assert.equal(registry.agents.get('b' as never)?.info, encoded('b'));
  assert.deepEqual(
    decodeAgentInfo(registry.agents.get('a' as never)?.info as never).attributes,
    record.info.attributes,
  );
  assert.equal(registry.agents.get('c' as never)?.deactivated, true);
  assert.equal(registry.weights.get('r'), 2);
  // And once it is written anew it is the same.
  assert.deepEqual(decodeRegistry([...encodeRegistry(registry)].join(''), []), registry);
});

test('AGENT-INFO-1, AGENT-INFO-2: equal infos are equal text, whatever they left to the defaults', () => {
  const short = { hostname: 'h', id: { value: 'a' } };
  const long = { ...short, port: 5051 };
  assert.equal(encodeAgentInfo(short), encodeAgentInfo(long));
  assert.deepEqual(decodeAgentInfo(encodeAgentInfo(short)), long);
});

test('a registry of a later format is not taken for one of this', () => {
  assert.throws(() => decodeRegistry('["format",3]\n', []), /format 3/);
});
