// Every command; each is loaded only when it is called and declares its options in its own file.
import type { Command } from './command.js';
import type { Group } from './dispatch.js';

/** A command that parses its arguments itself: the daemons, which have Mesos' flags, and the simulator. */
export interface Program {
  readonly main: (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;
  /** The names of its flags. */
  readonly flags: readonly string[];
}

export interface Entry {
  readonly summary: string;
  readonly load?: () => Promise<Command | Group>;
  /** Runs if the first argument is no verb of the group. */
  readonly program?: () => Promise<Program>;
}

const agentDaemon = async (): Promise<Program> => {
  const [{ agentMain }, { agentFlags }] = await Promise.all([
    import('@meseta/agent/shell/main'),
    import('@meseta/agent/shell/flags'),
  ]);
  return { main: agentMain, flags: Object.keys(agentFlags) };
};

const masterDaemon = async (): Promise<Program> => {
  const [{ masterMain }, { masterFlags }] = await Promise.all([
    import('@meseta/master/shell/main'),
    import('@meseta/master/shell/flags'),
  ]);
  return { main: masterMain, flags: Object.keys(masterFlags) };
};

const simulator = async (): Promise<Program> => {
  const { simProgram, OPTIONS } = await import('./commands/sim.js');
  return { main: simProgram, flags: Object.keys(OPTIONS) };
};

export const catalog: Readonly<Record<string, Entry>> = {
  up: {
    summary: 'Starts a cluster on this machine and runs a workload on it.',
    load: async () => (await import('./commands/up.js')).up,
  },
  master: { summary: 'Runs a master.', program: masterDaemon },
  agent: {
    summary: 'Runs an agent; list, drain, deactivate, reactivate, gone: manages the agents of a cluster.',
    load: async () => (await import('./commands/agent.js')).agent,
    program: agentDaemon,
  },
  run: {
    summary: 'Runs one command on the cluster and prints its output.',
    load: async () => (await import('./commands/run.js')).run,
  },
  task: {
    summary: 'Manages tasks: list, logs, exec, attach, kill.',
    load: async () => (await import('./commands/task.js')).task,
  },
  framework: {
    summary: 'Manages frameworks: list, teardown.',
    load: async () => (await import('./commands/framework.js')).framework,
  },
  explain: {
    summary: 'Explains why a framework gets no offer or a task does not run.',
    load: async () => (await import('./commands/explain.js')).explain,
  },
  state: { summary: 'Summarizes the cluster.', load: async () => (await import('./commands/state.js')).state },
  watch: {
    summary: 'Prints the events of the cluster.',
    load: async () => (await import('./commands/watch.js')).watch,
  },
  metrics: {
    summary: "Prints the master's metrics.",
    load: async () => (await import('./commands/metrics.js')).metrics,
  },
  roles: {
    summary: 'Lists roles with weight, quota and resources.',
    load: async () => (await import('./commands/roles.js')).roles,
  },
  quota: {
    summary: 'Manages the quota of roles: list, set, remove.',
    load: async () => (await import('./commands/quota.js')).quota,
  },
  weights: {
    summary: 'Manages the weights of roles: list, set.',
    load: async () => (await import('./commands/weights.js')).weights,
  },
  reserve: {
    summary: 'Reserves resources of an agent for a role.',
    load: async () => (await import('./commands/reserve.js')).reserve,
  },
  unreserve: {
    summary: 'Returns reserved resources to all roles.',
    load: async () => (await import('./commands/reserve.js')).unreserve,
  },
  volume: {
    summary: 'Manages persistent volumes: list, create, destroy, grow, shrink.',
    load: async () => (await import('./commands/volume.js')).volume,
  },
  maintenance: {
    summary: 'Manages the maintenance of machines: status, schedule, cancel, down, up.',
    load: async () => (await import('./commands/maintenance.js')).maintenance,
  },
  registry: {
    summary: 'Backs up and restores the registry: backup, restore.',
    load: async () => (await import('./commands/registry.js')).registry,
  },
  chaos: {
    summary: 'Runs a cluster with several masters under kills, pauses and network cuts.',
    load: async () => (await import('./commands/chaos.js')).chaos,
  },
  sim: {
    summary: 'Simulates clusters with faults and checks invariants.',
    program: simulator,
  },
  completion: {
    summary: 'Prints a completion script for bash, zsh or fish.',
    load: async () => (await import('./commands/completion.js')).completion,
  },
};
