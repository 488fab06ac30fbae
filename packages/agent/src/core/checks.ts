// Health checks and checks of a task: when to probe and what a result means. Pure functions; command-executor.ts sets the timers.
//
// Mesos: docs/health-checks.md. A health check ends the task after several consecutive failures; a check only reports.
// CHECKS-1: a task that is being ended is not probed, and results of its probes are ignored.
// CHECKS-2: a check reports changes only; a health check reports its first success, failures that count, and recoveries.
import type { Probe, ProbeResult } from '@meseta/containers/types';
import type { CheckInfo, CheckStatusInfo, CommandInfo, HealthCheck, TaskInfo } from '@meseta/wire';

export interface CheckState {
  readonly startedMonoMs: number;
  /** Consecutive failures of a health check. */
  readonly failures: number;
  /** The health check has succeeded at least once. */
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
  // 0 means that a probe has no timeout.
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

/** A check's result as a status reports it; for a probe that failed, the status of its type without a value. */
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

/** The probe of a health check; undefined if the check does not say what to probe. */
export function healthProbe(info: TaskInfo, environmentOf: EnvironmentOf): Probe | undefined {
  const check = info.health_check;
  if (check === undefined) return undefined;
  // The type of a check without one follows from its fields.
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

/** The probe of a check; undefined if the check does not say what to probe. */
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
