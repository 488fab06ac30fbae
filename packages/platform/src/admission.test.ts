import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { createRouter, masterEndpoints, refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import { createAdmission } from './admission.js';

/** Requests by the first check that they fail. */
const cases: readonly (readonly [method: string, url: string, status: number | 'admitted'])[] = [
  ['GET', '/nothing', 404],
  ['DELETE', '/master/state?secret', 403],
  ['DELETE', '/master/state', 503],
  ['GET', '/api/v1', 405],
  ['HEAD', '/version?a=1', 'admitted'],
];

for (const [method, url, expected] of cases) {
  test(`a request is checked for endpoint, rights, availability and method, in this order: ${method} ${url}`, () => {
    const admit = createAdmission<keyof typeof masterEndpoints, string>({
      route: createRouter('master', masterEndpoints),
      headers: { 'X-Safe': 'yes' },
      gate: { admit: () => (url.endsWith('?secret') ? err(refusal('forbidden', 'no')) : ok('alice')) },
      findUnavailable: ({ path }) => (path === '/state' ? refusal('unavailable', 'later') : undefined),
    });
    const request = new IncomingMessage(new Socket());
    Object.assign(request, { method, url });
    const response = new ServerResponse(request);
    const admitted = admit(request, response);
    assert.equal(admitted === undefined ? response.statusCode : 'admitted', expected);
    assert.equal(response.getHeader('X-Safe'), 'yes');
    if (admitted === undefined) return;
    assert.deepEqual(
      [admitted.method, admitted.match.name, admitted.query.get('a'), admitted.principal],
      ['GET', 'version', '1', 'alice'],
    );
  });
}
