// Health checks and checks. Source: Mesos' documentation of health checks.
import type { CheckInfo, CommandInfo, HealthCheck } from '@meseta/wire';
import { checkCommand } from './command.js';
import { firstAmong, type Problem } from './problem.js';

const notNegative = (field: string, value: number | undefined): Problem =>
  value === undefined || value >= 0 ? undefined : `${field}: expected a number >= 0, got ${value}`;

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
  return healthCheckBody(health) ?? firstAmong(timings, (name) => notNegative(`health_check.${name}`, health[name]));
}

function healthCheckBody({ type, command, http, tcp }: HealthCheck): Problem {
  switch (type) {
    case 'COMMAND':
      if (command === undefined) return 'health_check.command: is missing for type COMMAND';
      return checkCommandOf('health_check.command', command);
    case 'HTTP':
      if (http === undefined) return 'health_check.http: is missing for type HTTP';
      if (http.scheme !== undefined && !SCHEMES.has(http.scheme)) {
        return `health_check.http.scheme: expected http or https, got ${JSON.stringify(http.scheme)}`;
      }
      return checkPath('health_check.http.path', http.path);
    case 'TCP':
      return tcp === undefined ? 'health_check.tcp: is missing for type TCP' : undefined;
    default:
      return 'health_check.type: expected COMMAND, HTTP or TCP';
  }
}

export function checkCheck(check: CheckInfo): Problem {
  const timings = ['delay_seconds', 'interval_seconds', 'timeout_seconds'] as const;
  return checkBody(check) ?? firstAmong(timings, (name) => notNegative(`check.${name}`, check[name]));
}

function checkBody({ type, command, http, tcp }: CheckInfo): Problem {
  switch (type) {
    case 'COMMAND':
      if (command === undefined) return 'check.command: is missing for type COMMAND';
      return checkCommandOf('check.command.command', command.command);
    case 'HTTP':
      if (http === undefined) return 'check.http: is missing for type HTTP';
      return checkPath('check.http.path', http.path);
    case 'TCP':
      return tcp === undefined ? 'check.tcp: is missing for type TCP' : undefined;
    default:
      return 'check.type: expected COMMAND, HTTP or TCP';
  }
}
