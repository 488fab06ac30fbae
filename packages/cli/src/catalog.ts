// Every command, each loaded only when it is called. What a command takes stands in its own file.
import type { Command } from './command.js';
import type { Group } from './dispatch.js';

/** Reads its arguments itself: the daemons, whose flags are Mesos', and what isn't about a cluster. */
export interface Program {
  readonly main: (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;
  /** The names of its flags. */
  readonly flags: readonly string[];
}

export interface Entry {
  readonly summary: string;
  readonly load?: () => Promise<Command | Group>;
  /** What runs if no verb of the group's is named. */
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
    summary: 'A cluster on this machine and a workload on it.',
    load: async () => (await import('./commands/up.js')).up,
  },
  master: { summary: 'Runs a master.', program: masterDaemon },
  agent: {
    summary: 'Runs an agent; list, drain, deactivate, reactivate, gone: the agents of a cluster.',
    load: async () => (await import('./commands/agent.js')).agent,
    program: agentDaemon,
  },
  run: {
    summary: 'Runs one command on the cluster and shows its output.',
    load: async () => (await import('./commands/run.js')).run,
  },
  task: { summary: 'Tasks: list, logs, kill.', load: async () => (await import('./commands/task.js')).task },
  framework: {
    summary: 'Frameworks: list, teardown.',
    load: async () => (await import('./commands/framework.js')).framework,
  },
  explain: {
    summary: 'Why a framework gets no offer, why a task does not run.',
    load: async () => (await import('./commands/explain.js')).explain,
  },
  state: { summary: 'The cluster at a glance.', load: async () => (await import('./commands/state.js')).state },
  watch: { summary: 'What happens, as it happens.', load: async () => (await import('./commands/watch.js')).watch },
  metrics: { summary: "The master's metrics.", load: async () => (await import('./commands/metrics.js')).metrics },
  roles: {
    summary: 'Roles: weights, quota, what they hold.',
    load: async () => (await import('./commands/roles.js')).roles,
  },
  quota: {
    summary: 'Guarantees and limits of roles: list, set, remove.',
    load: async () => (await import('./commands/quota.js')).quota,
  },
  weights: {
    summary: 'Weights of roles: list, set.',
    load: async () => (await import('./commands/weights.js')).weights,
  },
  reserve: {
    summary: 'Reserves resources of an agent for a role.',
    load: async () => (await import('./commands/reserve.js')).reserve,
  },
  unreserve: {
    summary: 'Gives reserved resources back.',
    load: async () => (await import('./commands/reserve.js')).unreserve,
  },
  volume: {
    summary: 'Persistent volumes: list, create, destroy, grow, shrink.',
    load: async () => (await import('./commands/volume.js')).volume,
  },
  maintenance: {
    summary: 'Maintenance of machines: status, schedule, cancel, down, up.',
    load: async () => (await import('./commands/maintenance.js')).maintenance,
  },
  sim: {
    summary: 'Simulates clusters with faults, to find what breaks.',
    program: simulator,
  },
  completion: {
    summary: 'Completion for bash, zsh or fish.',
    load: async () => (await import('./commands/completion.js')).completion,
  },
};
