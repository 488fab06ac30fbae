import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from '../run/plan.js';
import { VARIATIONS } from './all.js';
import { vary } from './variation.js';

const plain = planOf(9);

test('a variation that a seed does not draw leaves its plan as it is, and draws nothing from the other streams', () => {
  for (const variation of VARIATIONS) {
    assert.equal(vary(plain, [{ ...variation, share: 0 }]), plain, variation.name);
    const drawn = vary(plain, [{ ...variation, share: 1 }]);
    assert.deepEqual(drawn.variations, [...plain.variations, variation.name]);
    assert.equal(drawn.network, plain.network);
    assert.deepEqual([...drawn.agents.keys()], [...plain.agents.keys()]);
    for (const index of plain.faults.keys()) assert(drawn.faults.has(index), `${variation.name}: fault ${index}`);
  }
});

test('what a variation draws depends on the seed and its own name only', () => {
  for (const variation of VARIATIONS) {
    const one = { ...variation, share: 1 };
    const other = { ...one, name: `${one.name}, another` };
    assert.deepEqual(vary(plain, [one]), vary(plain, [one]), variation.name);
    const [alone, beside] = [vary(plain, [one]), vary(plain, [{ ...other, draw: (_, plan) => plan }, one])];
    assert.deepEqual({ ...beside, variations: [] }, { ...alone, variations: [] }, variation.name);
  }
});

test('every variation is drawn by some of the first hundred seeds, and none by all of them', () => {
  const drawn = Array.from({ length: 100 }, (_, i) => planOf(i + 1).variations);
  for (const { name } of VARIATIONS) {
    const count = drawn.filter((names) => names.includes(name)).length;
    assert(count >= 3 && count <= 50, `${name}: ${count}`);
  }
});
