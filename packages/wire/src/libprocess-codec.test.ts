import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeMessage, encodeMessage } from './libprocess-codec.js';

const FACTS = '../shared/facts/libprocess-messages.json';
const skip = existsSync(FACTS) ? false : `${FACTS} is not here: the captured messages can't be compared`;

interface Captured {
  readonly name: string;
  readonly bytes: string;
  readonly json: unknown;
}

const captured = (): readonly Captured[] => JSON.parse(readFileSync(FACTS, 'utf8')) as readonly Captured[];

/** The captured decoding in our names. */
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
