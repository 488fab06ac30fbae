// One shot of a health check or check: a command beside the container, an HTTP GET, a TCP connection (health-checks.md).
import type { Files, Outbound, Processes, Result, SystemError } from '@meseta/base';
import type { Place } from '../launchers/posix/state.js';
import { commandPlan, type LaunchOwner, type LaunchTools } from '../plan/plan.js';
import { openSandbox } from '../sandbox/sandbox.js';
import type { Supervision } from '../supervisor/spawner.js';
import type { Probe, ProbeResult } from '../types.js';

type OwnerOf = (user: string | undefined) => Promise<Result<LaunchOwner | undefined, string>>;

interface Ports {
  readonly files: Files;
  readonly processes: Processes;
  readonly outbound: Outbound;
}

const failed = (message: string): ProbeResult => ({ kind: 'failed', message });

const failure = (error: SystemError): ProbeResult =>
  error.code === 'timedOut' ? { kind: 'timedOut' } : failed(error.message);

const loopback = (ipv6: boolean): string => (ipv6 ? '[::1]' : '127.0.0.1');

/**
 * Runs probes; a command runs as the container's user, whichever its own names, in the container's sandbox, and its
 * process group is killed at the timeout.
 */
export function createProber(ports: Ports, tools: LaunchTools, supervision: Supervision, ownerOf: OwnerOf) {
  async function command(
    place: Place,
    probe: Extract<Probe, { kind: 'command' }>,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const owner = await ownerOf(place.user);
    if (!owner.ok) return failed(owner.error);
    const plan = commandPlan(probe.command, probe.environment, owner.value, tools);
    if (!plan.ok) return failed(plan.error);
    const becoming = supervision.becoming(plan.value);
    if (!becoming.ok) return failed(becoming.error);
    const sandbox = await openSandbox(ports.files, place.sandbox);
    if (!sandbox.ok) return failed(sandbox.error.message);
    const request = { ...becoming.value, environment: {}, directory: sandbox.value.ownPath };
    const run = await ports.processes.run(request, { timeoutMs });
    sandbox.value.close();
    if (!run.ok) return failed(run.error.message);
    return run.value.timedOut ? { kind: 'timedOut' } : { kind: 'command', status: run.value.end };
  }

  return async (place: Place, probe: Probe, timeoutMs: number): Promise<ProbeResult> => {
    if (probe.kind === 'command') return command(place, probe, timeoutMs);
    if (probe.kind === 'tcp') {
      const host = probe.ipv6 ? '::1' : '127.0.0.1';
      const connected = await ports.outbound.connects(host, probe.port, timeoutMs);
      return connected.ok ? { kind: 'tcp', succeeded: connected.value } : failure(connected.error);
    }
    const path = probe.path.startsWith('/') || probe.path === '' ? probe.path : `/${probe.path}`;
    const url = `${probe.scheme}://${loopback(probe.ipv6)}:${probe.port}${path}`;
    const status = await ports.outbound.statusOf(url, timeoutMs);
    return status.ok ? { kind: 'http', statusCode: status.value } : failure(status.error);
  };
}
