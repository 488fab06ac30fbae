import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckInfo, HealthCheck } from '@meseta/wire';
import { checkCheck, checkHealthCheck } from './health-check.js';

const most = 9_223_372_036;
const command = { value: 'true' };
const variables = [{ name: 'A' }];

test('a health check is valid or refused with the field at fault', () => {
  const table: readonly (readonly [HealthCheck, string | undefined])[] = [
    [{}, 'health_check.type: expected COMMAND, HTTP or TCP'],
    [{ type: 'UNKNOWN' }, 'health_check.type: expected COMMAND, HTTP or TCP'],
    [{ type: 'COMMAND' }, 'health_check.command: is missing for type COMMAND'],
    [{ type: 'COMMAND', command }, undefined],
    [{ type: 'COMMAND', command: {} }, 'health_check.command.value: expected a command'],
    [{ type: 'COMMAND', command: { value: '' } }, 'health_check.command.value: expected a command'],
    [{ type: 'COMMAND', command: { value: '', shell: true } }, 'health_check.command.value: expected a command'],
    [{ type: 'COMMAND', command: { value: '', shell: false } }, undefined],
    [{ type: 'COMMAND', command: { shell: false } }, 'health_check.command.value: expected a command'],
    [
      { type: 'COMMAND', command: { ...command, environment: { variables } } },
      "health_check.command.environment.variables[0].value: is missing for 'A'",
    ],
    [{ type: 'HTTP' }, 'health_check.http: is missing for type HTTP'],
    [{ type: 'HTTP', http: { port: 80 } }, undefined],
    [{ type: 'HTTP', http: { port: 0, scheme: 'http', path: '/' } }, undefined],
    [{ type: 'HTTP', http: { port: 65_535, scheme: 'https' } }, undefined],
    [
      { type: 'HTTP', http: { port: 80, scheme: 'ftp' } },
      'health_check.http.scheme: expected http or https, got "ftp"',
    ],
    [{ type: 'HTTP', http: { port: 65_536 } }, 'health_check.http.port: expected a port from 0 to 65535, got 65536'],
    [
      { type: 'HTTP', http: { port: 80, path: 'x' } },
      `health_check.http.path: expected a path that begins with '/', got "x"`,
    ],
    [{ type: 'TCP' }, 'health_check.tcp: is missing for type TCP'],
    [{ type: 'TCP', tcp: { port: 80 } }, undefined],
    [{ type: 'TCP', tcp: { port: -1 } }, 'health_check.tcp.port: expected a port from 0 to 65535, got -1'],
    [{ type: 'COMMAND', command, delay_seconds: 0, interval_seconds: most }, undefined],
    [{ type: 'COMMAND', command, delay_seconds: -1 }, 'health_check.delay_seconds: expected a number >= 0, got -1'],
    [
      { type: 'COMMAND', command, timeout_seconds: most + 1 },
      `health_check.timeout_seconds: expected at most ${most} seconds, got ${most + 1}`,
    ],
    [
      { type: 'COMMAND', command, grace_period_seconds: -1 },
      'health_check.grace_period_seconds: expected a number >= 0, got -1',
    ],
    [
      { type: 'COMMAND', command, interval_seconds: -1 },
      'health_check.interval_seconds: expected a number >= 0, got -1',
    ],
  ];
  for (const [health, problem] of table) assert.equal(checkHealthCheck(health), problem, JSON.stringify(health));
});

test('a check is valid or refused with the field at fault', () => {
  const table: readonly (readonly [CheckInfo, string | undefined])[] = [
    [{}, 'check.type: expected COMMAND, HTTP or TCP'],
    [{ type: 'COMMAND' }, 'check.command: is missing for type COMMAND'],
    [{ type: 'COMMAND', command: { command } }, undefined],
    [{ type: 'COMMAND', command: { command: {} } }, 'check.command.command.value: expected a command'],
    [{ type: 'HTTP' }, 'check.http: is missing for type HTTP'],
    [{ type: 'HTTP', http: { port: 80, path: '/x' } }, undefined],
    [{ type: 'HTTP', http: { port: 80, path: 'x' } }, `check.http.path: expected a path that begins with '/', got "x"`],
    [{ type: 'HTTP', http: { port: 65_536 } }, 'check.http.port: expected a port from 0 to 65535, got 65536'],
    [{ type: 'TCP' }, 'check.tcp: is missing for type TCP'],
    [{ type: 'TCP', tcp: { port: 65_536 } }, 'check.tcp.port: expected a port from 0 to 65535, got 65536'],
    [{ type: 'TCP', tcp: { port: 1 } }, undefined],
    [{ type: 'TCP', tcp: { port: 1 }, delay_seconds: -1 }, 'check.delay_seconds: expected a number >= 0, got -1'],
    [{ type: 'TCP', tcp: { port: 1 }, interval_seconds: -1 }, 'check.interval_seconds: expected a number >= 0, got -1'],
    [{ type: 'TCP', tcp: { port: 1 }, timeout_seconds: -1 }, 'check.timeout_seconds: expected a number >= 0, got -1'],
  ];
  for (const [check, problem] of table) assert.equal(checkCheck(check), problem, JSON.stringify(check));
});
