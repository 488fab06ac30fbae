// The kinds of messages and calls, by which the log lines that peers cause are limited.
import type { AgentInput } from './io.js';

export function causeOf(input: AgentInput): string | undefined {
  switch (input.kind) {
    case 'message':
      return input.message.name;
    case 'executorCall':
    case 'containerCall':
      return input.call.type ?? 'UNKNOWN';
    case 'containerCallClosed':
    case 'streamClosed':
    case 'peerLost':
      return input.kind;
    case 'start':
    case 'masterDetected':
    case 'containerEvent':
    case 'probeResult':
    case 'persisted':
    case 'diskUsage':
    case 'diskRoom':
    case 'overload':
    case 'sandboxRemoved':
    case 'leave':
    case 'tick':
      return undefined;
  }
}
