import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import fc from 'fast-check';
import { decodeAgentInfo, type EncodedAgentInfo, encodeAgentInfo } from './agent-info.js';
import { decodeRegistry, encodeOperations, encodeRegistry, formatLine } from './encode.js';
import { applyToRegistry, type RegistryOperation } from './operations.js';
import { emptyRegistry, type RegistryState } from './state.js';

const ids = ['a', 'b', 'c'] as const;
const info = (id: string): AgentInfo => ({ hostname: `host-${id}`, id: { value: id }, port: 5051 });
const encoded = (id: string, port = 5051) => encodeAgentInfo({ ...info(id), port });
const agentId = fc.constantFrom(...ids).map((id) => id as AgentId);
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
    if (!result.ok) assert.deepEqual(registry, before, `${op.kind} failed and changed the registry`);
    if (result.ok && !result.value) assert.deepEqual(registry, before, `${op.kind} reports no change`);
    return result.ok && result.value;
  });
  return { registry, applied };
}

test('REGISTRY-1: an agent is in at most one of agents, unreachable and gone; a failed operation changes nothing', () => {
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

function decode(snapshot: string | undefined, batches: readonly string[]): RegistryState {
  const registry = decodeRegistry(snapshot, batches);
  assert.ok(registry.ok, registry.ok ? '' : registry.error);
  return registry.value;
}

test('REGISTRY-2: the log, a snapshot, and a snapshot with later batches give the same registry', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 20 }), fc.nat(), (operations, split) => {
      const { registry, applied } = applyAll(operations);
      const plain = JSON.parse(JSON.stringify([...encodeRegistry(registry)]));
      const fromLog = decode(
        undefined,
        applied.map((op) => encodeOperations([op])),
      );
      assert.deepEqual([...encodeRegistry(fromLog)], plain);
      const at = applied.length === 0 ? 0 : split % applied.length;
      const half = applyAll(applied.slice(0, at)).registry;
      const rest = applied.slice(at);
      const fromBoth = decode([...encodeRegistry(half)].join(''), rest.length === 0 ? [] : [encodeOperations(rest)]);
      assert.deepEqual([...encodeRegistry(fromBoth)], plain);
    }),
  );
});

test('a drained agent stays drained and deactivated when it becomes unreachable and re-registers', () => {
  const registry = emptyRegistry();
  const a = 'a' as AgentId;
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

test('agents with drain information, and agents whose id is escaped in JSON, are decoded from log and snapshot', () => {
  const odd = 'a","info":"\\' as AgentId;
  const operations: readonly RegistryOperation[] = [
    { kind: 'admitAgent', agentId: odd, info: encoded('odd') },
    { kind: 'deactivateAgent', agentId: odd },
  ];
  const fromLog = decode(undefined, [encodeOperations(operations)]);
  const fromSnapshot = decode([...encodeRegistry(fromLog)].join(''), []);
  for (const { agents } of [fromLog, fromSnapshot]) {
    assert.deepEqual([...agents.keys()], [odd]);
    assert.deepEqual([agents.get(odd)?.info, agents.get(odd)?.deactivated], [encoded('odd'), true]);
  }
});

test("ENCODE-1: an agent's info is in the store as the registry holds it, character by character", () => {
  // Text that no codec would write or read: it must pass through as it is.
  const text = '{"hostname" : "h", not read}' as EncodedAgentInfo;
  const a = 'a' as AgentId;
  const admit: RegistryOperation = { kind: 'admitAgent', agentId: a, info: encoded('a') };
  const logs: readonly (readonly RegistryOperation[])[] = [
    [{ ...admit, info: text }],
    [admit, { kind: 'updateAgent', agentId: a, info: text }],
    [{ kind: 'markAgentReachable', agentId: a, info: text }],
  ];
  for (const log of logs) assert.equal(decode(undefined, [encodeOperations(log)]).agents.get(a)?.info, text);
  const registry = emptyRegistry();
  registry.agents.set(a, { info: text });
  registry.agents.set('b' as AgentId, { info: text, drainInfo: { state: 'DRAINING', config: {} }, deactivated: true });
  const lines = [...encodeRegistry(registry)];
  assert.equal(lines.filter((line) => line.endsWith(`${text}}]\n`)).length, 2);
  const decoded = decode(lines.join(''), []).agents;
  assert.deepEqual(decoded, registry.agents);
});

test('AGENT-INFO-1, AGENT-INFO-2: an info with defaults unset and one with defaults set are the same text, decoded with the defaults', () => {
  const short = { hostname: 'h', id: { value: 'a' } };
  const long = { ...short, port: 5051 };
  assert.equal(encodeAgentInfo(short), encodeAgentInfo(long));
  assert.deepEqual(decodeAgentInfo(encodeAgentInfo(short)), long);
});

test('ENCODE-2: snapshots and batches of a newer format, and with lines that this version does not know, are refused', () => {
  assert.equal([...encodeRegistry(emptyRegistry())][0], '["format",1]\n');
  const newer = 'it has format 2, and this version reads formats up to 1: use the newer version that wrote it';
  const unknown = (what: string) =>
    `it has the ${what} "pinAgent", which this version does not know: use the newer version that wrote it`;
  const weight = encodeOperations([{ kind: 'updateWeights', weights: [{ role: 'a', weight: 2 }] }]);
  const refused: readonly (readonly [snapshot: string | undefined, batches: readonly string[], says: string])[] = [
    ['["format",2]\n', [], newer],
    [undefined, [weight, `["format",2]\n${weight}`], newer],
    ['["format",1]\n["pinAgent","a"]\n', [], unknown('entry')],
    [undefined, [`${weight}\n{"kind":"pinAgent","agentId":"a"}`], unknown('operation')],
  ];
  for (const [snapshot, batches, says] of refused)
    assert.deepEqual(decodeRegistry(snapshot, batches), { ok: false, error: says });
  const read = decode(formatLine, [`${formatLine}${weight}`, weight]);
  assert.deepEqual([...read.weights], [['a', 2]]);
});
