import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createSecurity, type SecurityFlags } from './setup.js';
import { NO_SECURITY } from './testing.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-security-'));

after(() => rmSync(directory, { recursive: true }));

test('a flag with a wrong value is named by the error', () => {
  const wrong: readonly (readonly [Partial<SecurityFlags>, keyof SecurityFlags])[] = [
    [{ authorizer: 'mine' }, 'authorizer'],
    [{ credentials: '/nowhere/at/all' }, 'credentials'],
    [{ jwtSecretKey: '/nowhere/at/all' }, 'jwtSecretKey'],
    [{ acls: '[' }, 'acls'],
    [{ firewallRules: '[]' }, 'firewallRules'],
    [{ acls: '/nowhere/at/all' }, 'acls'],
    [{ rateLimits: '{"limits":[{}]}' }, 'rateLimits'],
    [{ realms: { readonly: 'basic' } }, 'realms'],
  ];
  for (const [flags, flag] of wrong) {
    const made = createSecurity('agent', { ...NO_SECURITY, ...flags });
    assert.ok(!made.ok);
    assert.equal(made.error.flag, flag);
  }
});

test('flags given as files: errors name the file, and the warnings of all flags are kept', () => {
  const write = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const acls = write('acls', '{"surprise":[]}');
  const credentials = write('credentials', '{"credentials":[{"principal":"b"}]}');
  const made = createSecurity('master', {
    ...NO_SECURITY,
    acls,
    credentials,
    firewallRules: '{"disabled_endpoints":{"paths":["/nothing"]}}',
  });
  assert.deepEqual(made.ok && made.value.warnings, [
    'principal "b" has no secret and cannot authenticate',
    "field 'surprise' is not a list of ACLs and has no effect",
    '"/nothing" is not an endpoint of this master',
  ]);
  const bad = write('bad', '[]');
  const table = [
    [{ acls: bad }, { flag: 'acls', text: `${bad}: expected a JSON object` }],
    [{ acls: '[] /' }, undefined],
    [{ authorizer: 'x' }, { flag: 'authorizer', text: 'expected local, got x' }],
  ] as const;
  for (const [flags, error] of table) {
    const answer = createSecurity('master', { ...NO_SECURITY, ...flags });
    assert.ok(!answer.ok);
    if (error !== undefined) assert.deepEqual(answer.error, error);
  }
  assert.ok(createSecurity('master', { ...NO_SECURITY, rateLimits: write('limits', '{"limits":[]}') }).ok);
});
