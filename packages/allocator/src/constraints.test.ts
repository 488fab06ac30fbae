import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentInfo, SchedulerAttributeConstraint, SchedulerAttributeConstraintPredicate } from '@meseta/wire';
import { createOfferConstraints } from './constraints.js';

const agent: AgentInfo = {
  hostname: 'node-7.example',
  attributes: [
    { name: 'rack', type: 'TEXT', text: { value: 'r2' } },
    { name: 'rack', type: 'TEXT', text: { value: 'second' } },
    { name: 'size', type: 'SCALAR', scalar: { value: 4 } },
  ],
  domain: { fault_domain: { region: { name: 'north' }, zone: { name: 'n1' } } },
};

const withGroups = (...groups: SchedulerAttributeConstraint[][]) => ({
  role_constraints: { a: { groups: groups.map((constraints) => ({ attribute_constraints: constraints })) } },
});
const on = (name: string, predicate: SchedulerAttributeConstraintPredicate): SchedulerAttributeConstraint => ({
  selector: { attribute_name: name },
  predicate,
});
const takes = (groups: SchedulerAttributeConstraint[][], role = 'a', info = agent): boolean => {
  const constraints = createOfferConstraints(withGroups(...groups));
  assert.ok(constraints.ok);
  return !constraints.value.excludes(role, info);
};

test('a predicate holds or fails by whether the attribute is a text, another type or missing', () => {
  const predicates: [SchedulerAttributeConstraintPredicate, text: boolean, other: boolean, missing: boolean][] = [
    [{ exists: {} }, true, true, false],
    [{ not_exists: {} }, false, false, true],
    [{ text_equals: { value: 'r2' } }, true, true, false],
    [{ text_equals: { value: 'second' } }, false, true, false],
    [{ text_not_equals: { value: 'r2' } }, false, true, true],
    [{ text_not_equals: { value: 'r' } }, true, true, true],
    [{ text_matches: { regex: 'r[0-9]' } }, true, true, false],
    [{ text_matches: { regex: 'r' } }, false, true, false],
    [{ text_not_matches: { regex: 'r.*' } }, false, true, true],
    [{ text_not_matches: { regex: '[0-9]' } }, true, true, true],
  ];
  for (const [predicate, text, other, missing] of predicates) {
    const found = ['rack', 'size', 'colour'].map((name) => takes([[on(name, predicate)]]));
    assert.deepEqual(found, [text, other, missing], JSON.stringify(predicate));
  }
});

test('pseudo-attributes select hostname, region and zone', () => {
  const pseudo = (type: 'HOSTNAME' | 'REGION' | 'ZONE', regex: string): SchedulerAttributeConstraint => ({
    selector: { pseudoattribute_type: type },
    predicate: { text_matches: { regex } },
  });
  assert.ok(takes([[pseudo('HOSTNAME', 'node-[0-9]+\\.example'), pseudo('REGION', 'north'), pseudo('ZONE', 'n[12]')]]));
  assert.ok(!takes([[pseudo('REGION', '.*')]], 'a', { hostname: 'h' }), 'an agent without domain has no region');
});

test('one group must hold, with all its constraints; other roles exclude no agent', () => {
  const yes = on('rack', { exists: {} });
  const no = on('rack', { not_exists: {} });
  assert.ok(takes([[no], [yes, yes]]));
  assert.ok(!takes([[no, yes], [no]]));
  assert.ok(takes([[no]], 'b'));
});

test('an agent without hostname parts, fault domain or text has no such text', () => {
  const region: SchedulerAttributeConstraint = {
    selector: { pseudoattribute_type: 'REGION' },
    predicate: { text_equals: { value: 'north' } },
  };
  const zone: SchedulerAttributeConstraint = {
    selector: { pseudoattribute_type: 'ZONE' },
    predicate: { text_equals: { value: 'n1' } },
  };
  for (const constraint of [region, zone]) {
    assert.ok(takes([[constraint]]));
    assert.ok(!takes([[constraint]], 'a', { hostname: 'h', domain: {} }));
    assert.ok(!takes([[constraint]], 'a', { hostname: 'h' }));
  }
  const empty: AgentInfo = { hostname: 'h', attributes: [{ name: 'rack', type: 'TEXT' }] };
  assert.ok(takes([[on('rack', { text_equals: { value: '' } })]], 'a', empty));
});

test('matching a hostile regular expression takes linear time', () => {
  const long: AgentInfo = { hostname: `${'a'.repeat(50_000)}!` };
  const constraint = {
    selector: { pseudoattribute_type: 'HOSTNAME' as const },
    predicate: { text_matches: { regex: '(a*)*b' } },
  };
  assert.ok(!takes([[constraint]], 'a', long));
});

test('invalid constraints are refused with an error that names the field', () => {
  const field = 'offer_constraints.role_constraints["a"].groups';
  const first = `${field}[0].attribute_constraints[0]`;
  const selector = { attribute_name: 'x' };
  const cases: [unknown, code: string, field: string, text: RegExp][] = [
    [{ role_constraints: { a: {} } }, 'empty', field, /at least one group/],
    [withGroups([]), 'empty', `${field}[0].attribute_constraints`, /at least one constraint/],
    [withGroups([{ selector: {}, predicate: { exists: {} } }]), 'selector', `${first}.selector`, /exactly one/],
    [
      withGroups([{ selector: { pseudoattribute_type: 'UNKNOWN' }, predicate: { exists: {} } }]),
      'selector',
      `${first}.selector.pseudoattribute_type`,
      /HOSTNAME/,
    ],
    [withGroups([{ selector, predicate: {} }]), 'predicate', `${first}.predicate`, /exactly one/],
    [
      withGroups([on('x', { text_matches: { regex: '(' } })]),
      'regex',
      `${first}.predicate.text_matches.regex`,
      /missing/,
    ],
    [
      withGroups([on('x', { text_matches: { regex: '(?=a)' } })]),
      'regex',
      `${first}.predicate.text_matches.regex`,
      /RE2/,
    ],
    [
      withGroups([on('x', { text_not_matches: { regex: '(a+){50}' } })]),
      'regex',
      `${first}.predicate.text_not_matches.regex`,
      /too complex/,
    ],
    [
      withGroups([on('x', { text_not_matches: { regex: '(a+){500}' } })]),
      'regex',
      `${first}.predicate.text_not_matches.regex`,
      /too large/,
    ],
  ];
  for (const [source, code, where, text] of cases) {
    const made = createOfferConstraints(source as Parameters<typeof createOfferConstraints>[0]);
    assert.ok(!made.ok, JSON.stringify(source));
    assert.equal(made.error.code, code);
    assert.equal(made.error.field, where);
    assert.match(made.error.text, text);
  }
  assert.ok(createOfferConstraints(withGroups([on('x', { text_matches: { regex: '(a+){10}' } })])).ok);
});

test('the length of a regular expression and the number of constraints are limited', () => {
  const refusalOf = (...groups: SchedulerAttributeConstraint[][]): string => {
    const made = createOfferConstraints(withGroups(...groups));
    return made.ok ? '' : `${made.error.code} ${made.error.field}: ${made.error.text}`;
  };
  const field = 'offer_constraints.role_constraints["a"].groups';
  assert.equal(
    refusalOf([on('rack', { text_matches: { regex: `${'a{1000}'.repeat(40)}` } })]),
    `regex ${field}[0].attribute_constraints[0].predicate.text_matches.regex: pattern too large: expected at most 256 characters, got 280`,
  );
  const many = (count: number): SchedulerAttributeConstraint[] => Array(count).fill(on('rack', { exists: {} }));
  assert.equal(refusalOf(many(500), many(500)), '');
  assert.equal(
    refusalOf(many(500), many(501)),
    `tooMany ${field}[1].attribute_constraints: constraints of all roles: expected at most 1000 items, got 1001`,
  );
});
