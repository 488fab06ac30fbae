// One master and one agent for an integration test, which may end and restart either of them.
import { join } from 'node:path';
import { createDaemons, type Daemon, freePort } from '../testing/daemons.js';

export interface TestCluster {
  readonly directory: string;
  /** `ip:port`, the same after a restart. */
  readonly master: string;
  readonly agent: string;
  startMaster(): Promise<void>;
  startAgent(): Promise<void>;
  /** Sends SIGKILL and waits until the process has ended. */
  kill(name: 'master' | 'agent'): Promise<void>;
  pidOf(name: 'master' | 'agent'): number;
  logFileOf(name: 'master' | 'agent'): string;
  stop(): Promise<void>;
}

export interface TestClusterOptions {
  readonly masterFlags?: readonly string[];
  readonly agentFlags?: readonly string[];
  readonly nodeOptions?: readonly string[];
}

export async function createTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { masterFlags = [], agentFlags = [], nodeOptions = [] } = options;
  const daemons = createDaemons(nodeOptions);
  const [masterPort, agentPort] = [await freePort(), await freePort()];
  const master = `127.0.0.1:${masterPort}`;
  const running = new Map<'master' | 'agent', Daemon>();
  const resources = '--resources=cpus:16;mem:16384;disk:16384;ports:[31000-32000]';
  return {
    directory: daemons.directory,
    master,
    agent: `127.0.0.1:${agentPort}`,
    async startMaster() {
      running.set('master', await daemons.master(['--allocation_interval=100ms', ...masterFlags], masterPort));
    },
    async startAgent() {
      running.set('agent', await daemons.agent(master, [resources, ...agentFlags], agentPort));
    },
    kill: async (name) => running.get(name)?.stop('SIGKILL'),
    pidOf: (name) => running.get(name)?.pid ?? 0,
    logFileOf: (name) => join(daemons.directory, `${name}.log`),
    stop: daemons.stop,
  };
}
