import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfferOperation, Resource } from '@meseta/wire';
import { type AuthorizationQuestion, DEFAULT_MASTER_OPTIONS } from '../options.js';
import { checkAuthorization } from './authorize.js';

const disk = (more: Partial<Resource> = {}): Resource => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 1 },
  ...more,
});
const reserved = disk({ reservations: [{ type: 'DYNAMIC', role: 'web', principal: 'reserver' }] });
const volume: Resource = { ...reserved, disk: { persistence: { id: 'v', principal: 'creator' } } };

const cases: readonly (readonly [operation: OfferOperation, action: string, value: string | undefined])[] = [
  [{ type: 'RESERVE', reserve: { resources: [reserved] } }, 'RESERVE_RESOURCES', 'web'],
  [{ type: 'UNRESERVE', unreserve: { resources: [reserved] } }, 'UNRESERVE_RESOURCES', 'reserver'],
  [{ type: 'UNRESERVE', unreserve: { resources: [disk()] } }, 'UNRESERVE_RESOURCES', undefined],
  [{ type: 'CREATE', create: { volumes: [volume] } }, 'CREATE_VOLUME', 'web'],
  [{ type: 'DESTROY', destroy: { volumes: [volume] } }, 'DESTROY_VOLUME', 'creator'],
  [{ type: 'DESTROY', destroy: { volumes: [reserved] } }, 'DESTROY_VOLUME', undefined],
  [{ type: 'GROW_VOLUME', grow_volume: { volume, addition: disk() } }, 'RESIZE_VOLUME', 'web'],
  [{ type: 'SHRINK_VOLUME', shrink_volume: { volume, subtract: { value: 1 } } }, 'RESIZE_VOLUME', 'web'],
];

test('an operation on resources asks for its action and the role or principal of each resource', () => {
  for (const [operation, action, value] of cases) {
    const questions: AuthorizationQuestion[] = [];
    const options = {
      ...DEFAULT_MASTER_OPTIONS,
      authorize: (question: AuthorizationQuestion) => questions.push(question) > 0,
    };
    assert.equal(checkAuthorization(options, 'p', operation), undefined);
    assert.deepEqual(questions, [{ action, principal: 'p', value }]);
    const refusing = { ...DEFAULT_MASTER_OPTIONS, authorize: () => false };
    assert.equal(checkAuthorization(refusing, 'p', operation), `not authorized: ${action} for '${value ?? 'any'}'`);
  }
});

test('one unauthorized resource denies the operation; a missing body and other operations ask nothing', () => {
  const options = {
    ...DEFAULT_MASTER_OPTIONS,
    authorize: ({ value }: AuthorizationQuestion) => value === 'reserver',
  };
  const both: OfferOperation = { type: 'UNRESERVE', unreserve: { resources: [reserved, disk()] } };
  assert.equal(checkAuthorization(options, undefined, both), "not authorized: UNRESERVE_RESOURCES for 'any'");
  const types = ['RESERVE', 'UNRESERVE', 'CREATE', 'DESTROY', 'GROW_VOLUME', 'SHRINK_VOLUME', 'LAUNCH'] as const;
  for (const type of types) assert.equal(checkAuthorization(options, undefined, { type }), undefined);
});
