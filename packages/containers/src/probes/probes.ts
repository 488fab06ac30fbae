// Runs one probe of a health check or check: a command beside the container, an HTTP GET or a TCP connection (Mesos:
// docs/health-checks.md).
//
// PROBES-1: a command runs as the container's user, whichever user the probe names, and in the container's sandbox.
// PROBES-2: at the timeout the command's process group is killed.
// PROBES-3: HTTP and TCP go to the loopback address of the container's network namespace.
import type { ContainerId, Files, Outbound, Result, SystemError } from '@meseta/base';
import type { Launcher } from '../launchers/launcher.js';
import { commandPlan, type LaunchOwner } from '../plan/plan.js';
import { openSandbox } from '../sandbox/sandbox.js';
import type { ContainerSpec, Probe, ProbeResult } from '../types.js';

type ResolveOwner = (user: string | undefined) => Promise<Result<LaunchOwner | undefined, string>>;

export type ProbeOutbound = Pick<Outbound, 'statusOf' | 'connects'>;

interface Ports {
  readonly files: Files;
  outboundOf(containerId: ContainerId): ProbeOutbound;
  readonly launcher: Pick<Launcher, 'exec'>;
}

type ProbedContainer = Pick<ContainerSpec, 'containerId' | 'sandbox' | 'user'>;

const failed = (message: string): ProbeResult => ({ kind: 'failed', message });

const failedBy = (error: SystemError): ProbeResult =>
  error.code === 'timedOut' ? { kind: 'timedOut' } : failed(error.message);

/** Returns a function that runs probes of a container. */
export function createProber(ports: Ports, resolveOwner: ResolveOwner) {
  async function runCommand(
    { containerId, sandbox: path, user }: ProbedContainer,
    probe: Extract<Probe, { kind: 'command' }>,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const owner = await resolveOwner(user);
    if (!owner.ok) return failed(owner.error);
    const plan = commandPlan(probe.command, probe.environment, owner.value);
    if (!plan.ok) return failed(plan.error);
    const sandbox = await openSandbox(ports.files, path);
    if (!sandbox.ok) return failed(sandbox.error.message);
    sandbox.value.close();
    const directory = { path, identity: sandbox.value.stat.identity };
    const run = await ports.launcher.exec(containerId, { ...plan.value, directory }, timeoutMs);
    if (!run.ok) return failed(run.error);
    return run.value.timedOut ? { kind: 'timedOut' } : { kind: 'command', status: run.value.status };
  }

  async function get(
    { containerId }: ProbedContainer,
    probe: Extract<Probe, { kind: 'http' }>,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const host = probe.ipv6 ? '[::1]' : '127.0.0.1';
    const path = probe.path.startsWith('/') || probe.path === '' ? probe.path : `/${probe.path}`;
    const status = await ports
      .outboundOf(containerId)
      .statusOf(`${probe.scheme}://${host}:${probe.port}${path}`, timeoutMs);
    return status.ok ? { kind: 'http', statusCode: status.value } : failedBy(status.error);
  }

  async function connect(
    { containerId }: ProbedContainer,
    probe: Extract<Probe, { kind: 'tcp' }>,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const connected = await ports
      .outboundOf(containerId)
      .connects(probe.ipv6 ? '::1' : '127.0.0.1', probe.port, timeoutMs);
    return connected.ok ? { kind: 'tcp', succeeded: connected.value } : failedBy(connected.error);
  }

  return async (container: ProbedContainer, probe: Probe, timeoutMs: number): Promise<ProbeResult> => {
    switch (probe.kind) {
      case 'command':
        return runCommand(container, probe, timeoutMs);
      case 'http':
        return get(container, probe, timeoutMs);
      case 'tcp':
        return connect(container, probe, timeoutMs);
    }
  };
}
