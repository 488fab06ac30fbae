// All assertions, and throws of the wire's readers, in the packages that process outside data: for each file, whether outside
// data can reach them, and which test shows that it does not end the process. A new site must be reviewed and counted here.

export type Verdict =
  /** The named caller catches it and returns a value. */
  | 'caught'
  /** Outside data is validated before it; the named test sends hostile data. */
  | 'guarded'
  /** Only this process or its disk can cause it. */
  | 'inside';

export interface Sites {
  readonly file: string;
  readonly count: number;
  readonly verdict: Verdict;
  readonly why: string;
}

const MASTER_CORE = 'packages/master/src/core/invariants-hostile.test.ts';
const AGENT_CORE = 'packages/agent/src/core/invariants-hostile.test.ts';

const sites = (file: string, count: number, verdict: Verdict, why: string): Sites => ({
  file: `packages/${file}`,
  count,
  verdict,
  why,
});

export const SITES: readonly Sites[] = [
  sites('agent/src/core/machine.ts', 1, 'inside', 'the shell answers each write once'),
  sites('agent/src/core/environment.ts', 1, 'guarded', AGENT_CORE),
  sites('agent/src/core/executor-launch.ts', 2, 'guarded', AGENT_CORE),
  sites('agent/src/core/launch.ts', 1, 'guarded', AGENT_CORE),
  sites('agent/src/core/pods.ts', 2, 'guarded', AGENT_CORE),
  sites('allocator/src/agents.ts', 8, 'guarded', MASTER_CORE),
  sites('allocator/src/allocations.ts', 3, 'guarded', MASTER_CORE),
  sites('allocator/src/allocator.ts', 2, 'inside', 'recovery, and constants of the program'),
  sites('allocator/src/clients.ts', 1, 'guarded', MASTER_CORE),
  sites('allocator/src/frameworks.ts', 5, 'guarded', MASTER_CORE),
  sites('allocator/src/run.ts', 3, 'inside', "the allocator's own filters and wake lists"),
  sites('allocator/src/views.ts', 1, 'guarded', MASTER_CORE),
  sites('coordination/src/environment.ts', 1, 'inside', 'the store, whose checksums are looked at when it is opened'),
  sites('coordination/src/lmdb-store.ts', 2, 'inside', 'the store, whose checksums are looked at when it is opened'),
  sites('master/src/core/driver-messages.ts', 3, 'inside', 'events that this master made'),
  sites('master/src/core/offers.ts', 3, 'guarded', MASTER_CORE),
  sites('master/src/core/registrar.ts', 2, 'guarded', MASTER_CORE),
  sites('master/src/core/tasks.ts', 1, 'guarded', MASTER_CORE),
  sites('master/src/registry/agent-info.ts', 2, 'inside', "the registry's own text"),
  sites('master/src/registry/encode.ts', 1, 'inside', "the registry's own text"),
  sites('master/src/shell/registry-log.ts', 1, 'inside', 'a batch has an operation'),
  sites('master/src/shell/connected-master.ts', 1, 'inside', 'the core persists only after it was elected'),
  sites(
    'master/src/shell/rehearsal/memory-port.ts',
    2,
    'inside',
    'the rehearsal sends calls with a head, to a started master',
  ),
  sites('master/src/shell/rehearsal/round.ts', 1, 'inside', 'flags of the rehearsal itself'),
  sites('platform/src/pid-namespaces.ts', 1, 'inside', 'root may enter the pid namespace that it came from'),
  sites('platform/src/network-namespaces.ts', 1, 'inside', 'root may enter the network namespace that it came from'),
  sites('platform/src/message-parser.ts', 1, 'guarded', 'packages/platform/src/message-parser.test.ts'),
  sites('resources/src/role-tree.ts', 1, 'guarded', MASTER_CORE),
  sites('wire/src/binary-reader.ts', 17, 'caught', 'codec.ts'),
  sites('wire/src/binary-writer.ts', 1, 'guarded', MASTER_CORE),
  sites('wire/src/enums.ts', 1, 'guarded', MASTER_CORE),
  sites('wire/src/json-parser.ts', 2, 'caught', 'parseExactJson'),
  sites('wire/src/json-reader.ts', 18, 'caught', 'codec.ts'),
  sites('wire/src/uuid.ts', 1, 'inside', 'uuids that this process made'),
];
