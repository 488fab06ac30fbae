// Validates health checks and checks. Source: Mesos' documentation of health checks.
import type { CheckInfo, CommandInfo, HealthCheck } from '@meseta/wire';
import { checkCommand } from './command.js';
import { firstAmong, type Problem } from './problem.js';

/** The largest number of seconds whose nanoseconds fit in an int64: about 292 years. */
const MAX_SECONDS = 9_223_372_036;

function checkSeconds(field: string, value: number | undefined): Problem {
  if (value === undefined || (value >= 0 && value <= MAX_SECONDS)) return undefined;
  const expected = value > MAX_SECONDS ? `at most ${MAX_SECONDS} seconds` : 'a number >= 0';
  return `${field}: expected ${expected}, got ${value}`;
}

const checkPort = (field: string, port: number): Problem =>
  port >= 0 && port <= 65_535 ? undefined : `${field}: expected a port from 0 to 65535, got ${port}`;

function checkCommandOf(field: string, command: CommandInfo): Problem {
  if (command.value === undefined || (command.shell !== false && command.value === '')) {
    return `${field}.value: expected a command`;
  }
  return checkCommand(field, command);
}

function checkPath(field: string, path: string | undefined): Problem {
  if (path === undefined || path.startsWith('/')) return undefined;
  return `${field}: expected a path that begins with '/', got ${JSON.stringify(path)}`;
}

const SCHEMES: ReadonlySet<string> = new Set(['http', 'https']);

export function checkHealthCheck(health: HealthCheck): Problem {
  const timings = ['delay_seconds', 'interval_seconds', 'timeout_seconds', 'grace_period_seconds'] as const;
  return (
    checkHealthCheckBody(health) ?? firstAmong(timings, (name) => checkSeconds(`health_check.${name}`, health[name]))
  );
}

function checkHealthCheckBody({ type, command, http, tcp }: HealthCheck): Problem {
  switch (type) {
    case 'COMMAND':
      if (command === undefined) return 'health_check.command: is missing for type COMMAND';
      return checkCommandOf('health_check.command', command);
    case 'HTTP':
      if (http === undefined) return 'health_check.http: is missing for type HTTP';
      if (http.scheme !== undefined && !SCHEMES.has(http.scheme)) {
        return `health_check.http.scheme: expected http or https, got ${JSON.stringify(http.scheme)}`;
      }
      return checkPort('health_check.http.port', http.port) ?? checkPath('health_check.http.path', http.path);
    case 'TCP':
      if (tcp === undefined) return 'health_check.tcp: is missing for type TCP';
      return checkPort('health_check.tcp.port', tcp.port);
    default:
      return 'health_check.type: expected COMMAND, HTTP or TCP';
  }
}

export function checkCheck(check: CheckInfo): Problem {
  const timings = ['delay_seconds', 'interval_seconds', 'timeout_seconds'] as const;
  return checkBody(check) ?? firstAmong(timings, (name) => checkSeconds(`check.${name}`, check[name]));
}

function checkBody({ type, command, http, tcp }: CheckInfo): Problem {
  switch (type) {
    case 'COMMAND':
      if (command === undefined) return 'check.command: is missing for type COMMAND';
      return checkCommandOf('check.command.command', command.command);
    case 'HTTP':
      if (http === undefined) return 'check.http: is missing for type HTTP';
      return checkPort('check.http.port', http.port) ?? checkPath('check.http.path', http.path);
    case 'TCP':
      if (tcp === undefined) return 'check.tcp: is missing for type TCP';
      return checkPort('check.tcp.port', tcp.port);
    default:
      return 'check.type: expected COMMAND, HTTP or TCP';
  }
}
