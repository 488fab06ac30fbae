// Health checks and checks of a task: when to probe, what a result means. Pure; the timers are the agent's.
//
// Mesos: docs/health-checks.md. A health check ends the task after so many failures in a row; a check only reports.
// CHECKS-1: while a task is being ended nothing is probed and nothing reported.
// CHECKS-2: a check reports changes only; a health check its first success, every failure that counts, and recoveries.
import type { Probe, ProbeResult } from '@meseta/containers/types';
import type { CheckInfo, CheckStatusInfo, CommandInfo, HealthCheck, TaskInfo } from '@meseta/wire';

export interface CheckState {
  readonly startedMonoMs: number;
  /** A health check's failures in a row. */
  readonly failures: number;
  /** A health check has succeeded once. */
  readonly succeeded: boolean;
}

export const initialCheck = (startedMonoMs: number, healthyBefore = false): CheckState => ({
  startedMonoMs,
  failures: 0,
  succeeded: healthyBefore,
});

export interface CheckTimes {
  readonly delayMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export const timesOf = (check: HealthCheck | CheckInfo): CheckTimes => ({
  delayMs: (check.delay_seconds ?? 15) * 1000,
  intervalMs: (check.interval_seconds ?? 10) * 1000,
  // Zero means that a probe may take as long as it likes.
  timeoutMs: (check.timeout_seconds ?? 20) * 1000 || Number.MAX_SAFE_INTEGER,
});

export interface HealthVerdict {
  readonly state: CheckState;
  /** What to report, if anything. */
  readonly healthy: boolean | undefined;
  readonly kill: boolean;
}

export function judgeHealth(check: HealthCheck, state: CheckState, result: ProbeResult, monoMs: number): HealthVerdict {
  if (isHealthy(result)) {
    const report = !state.succeeded || state.failures > 0;
    return { state: { ...state, failures: 0, succeeded: true }, healthy: report ? true : undefined, kill: false };
  }
  const graceMs = (check.grace_period_seconds ?? 10) * 1000;
  if (!state.succeeded && graceMs > 0 && monoMs - state.startedMonoMs <= graceMs) {
    return { state, healthy: undefined, kill: false };
  }
  const failures = state.failures + 1;
  return { state: { ...state, failures }, healthy: false, kill: failures >= (check.consecutive_failures ?? 3) };
}

function isHealthy(result: ProbeResult): boolean {
  switch (result.kind) {
    case 'command':
      return result.status.kind === 'exited' && result.status.code === 0;
    case 'http':
      return result.statusCode >= 200 && result.statusCode < 400;
    case 'tcp':
      return result.succeeded;
    case 'failed':
    case 'timedOut':
      return false;
  }
}

/** What a check's result looks like in a status; a check that itself failed gives the empty status of its type. */
export function checkStatus(check: CheckInfo, result: ProbeResult | undefined): CheckStatusInfo {
  const type = check.type ?? 'UNKNOWN';
  switch (type) {
    case 'COMMAND':
      return {
        type,
        command: result?.kind === 'command' && result.status.kind === 'exited' ? { exit_code: result.status.code } : {},
      };
    case 'HTTP':
      return { type, http: result?.kind === 'http' ? { status_code: result.statusCode } : {} };
    case 'TCP':
      return { type, tcp: result?.kind === 'tcp' ? { succeeded: result.succeeded } : {} };
    case 'UNKNOWN':
      return { type };
  }
}

export const sameCheckStatus = (a: CheckStatusInfo | undefined, b: CheckStatusInfo | undefined): boolean =>
  a?.command?.exit_code === b?.command?.exit_code &&
  a?.http?.status_code === b?.http?.status_code &&
  a?.tcp?.succeeded === b?.tcp?.succeeded;

export type EnvironmentOf = (command: CommandInfo) => { readonly [name: string]: string };

/** The probe of a health check; undefined if the check says nothing that can be probed. */
export function healthProbe(info: TaskInfo, environmentOf: EnvironmentOf): Probe | undefined {
  const check = info.health_check;
  if (check === undefined) return undefined;
  // A check without a type is taken by what it holds.
  const type = check.type ?? (check.command !== undefined ? 'COMMAND' : check.http !== undefined ? 'HTTP' : 'UNKNOWN');
  if (type === 'COMMAND' && check.command !== undefined) {
    return { kind: 'command', command: check.command, environment: environmentOf(check.command) };
  }
  if (type === 'HTTP' && check.http !== undefined) {
    return {
      kind: 'http',
      scheme: check.http.scheme === 'https' ? 'https' : 'http',
      port: check.http.port,
      path: check.http.path ?? '/',
      ipv6: check.http.protocol === 'IPv6',
    };
  }
  if (type === 'TCP' && check.tcp !== undefined) {
    return { kind: 'tcp', port: check.tcp.port, ipv6: check.tcp.protocol === 'IPv6' };
  }
  return undefined;
}

/** The probe of a check; undefined if the check says nothing that can be probed. */
export function checkProbe(info: TaskInfo, environmentOf: EnvironmentOf): Probe | undefined {
  const check = info.check;
  if (check?.type === 'COMMAND' && check.command !== undefined) {
    const { command } = check.command;
    return { kind: 'command', command, environment: environmentOf(command) };
  }
  if (check?.type === 'HTTP' && check.http !== undefined) {
    return { kind: 'http', scheme: 'http', port: check.http.port, path: check.http.path ?? '/', ipv6: false };
  }
  if (check?.type === 'TCP' && check.tcp !== undefined) return { kind: 'tcp', port: check.tcp.port, ipv6: false };
  return undefined;
}
