// `meseta up`: starts a cluster on this machine and runs a workload on it.
import type { ServerKind } from '@meseta/coordination/local-server';
import { defineCommand, EXIT, parseInteger, usageError } from '../command.js';
import { listenForInterruption } from '../interruption.js';
import { printText } from '../output.js';
import { type LocalCluster, startLocalCluster } from '../up/local-cluster.js';
import { allFinished, progressLine, summarize } from '../up/summary.js';
import { runWorkload } from '../up/workload.js';

const options = {
  tasks: { type: 'string', default: '200', value: 'N', help: 'the number of tasks (default 200; 0 for none)' },
  masters: {
    type: 'string',
    default: '1',
    value: 'N',
    help: 'the number of masters (default 1); several elect a leader in a ZooKeeper or etcd that is started too',
  },
  coordinator: {
    type: 'string',
    value: 'NAME',
    help: 'zookeeper or etcd, for several masters (default: the one that is installed)',
  },
  agents: { type: 'string', default: '2', value: 'N', help: 'the number of agents (default 2)' },
  port: { type: 'string', default: '5050', value: 'N', help: 'the first port to try for the master (default 5050)' },
  resources: {
    type: 'string',
    default: 'cpus:4;mem:2048;disk:4096;ports:[31000-32000]',
    value: 'TEXT',
    help: 'the resources of each agent (default cpus:4;mem:2048;disk:4096;ports:[31000-32000])',
  },
  'work-dir': {
    type: 'string',
    value: 'DIR',
    help: 'keep state and logs in this directory and continue from its state',
  },
  exit: { type: 'boolean', help: 'end after the workload, with status 0 if every task finished' },
} as const;

interface Values {
  readonly tasks: string;
  readonly masters: string;
  readonly coordinator?: string | undefined;
  readonly agents: string;
  readonly port: string;
  readonly resources: string;
  readonly 'work-dir'?: string | undefined;
  readonly exit?: boolean | undefined;
}

export const up = defineCommand({
  summary: 'Starts a cluster on this machine and runs a workload on it.',
  positionals: '',
  about: `Starts one or more masters and agents on this machine's loopback, runs tasks of a few kinds through the scheduler API,
prints a summary, and stays up until Ctrl-C, which removes the cluster.`,
  options,
  run: (values) => runUp(values),
});

async function runUp(values: Values): Promise<number> {
  const tasks = parseInteger('up', 'tasks', values.tasks, 0, MAX_TASKS);
  const masters = parseMasters('up', values.masters);
  const coordinator = parseCoordinator('up', values.coordinator);
  const { happened: interrupted } = listenForInterruption();
  printText(`Starting ${masters === 1 ? 'a master' : `${masters} masters`} and agents on loopback ...`);
  const cluster = await startLocalCluster({
    masters,
    coordinator,
    agents: parseInteger('up', 'agents', values.agents, 0, MAX_AGENTS),
    port: parseInteger('up', 'port', values.port, 1, 65_535),
    workDir: values['work-dir'],
    resources: values.resources,
  });
  const stopping = new AbortController();
  try {
    describe(cluster);
    return await Promise.race([
      work(cluster, tasks, values.exit ?? false, interrupted, stopping.signal),
      interrupted.then(() => EXIT.done),
      cluster.failure.then((text) => failed(text)),
    ]);
  } finally {
    // A framework that goes on looking for its master would keep this process alive.
    stopping.abort();
    printText('\nStopping ...');
    await cluster.stop();
    printText(
      values['work-dir'] === undefined ? 'Stopped; nothing remains.' : `Stopped; state is kept in ${cluster.workDir}.`,
    );
  }
}

const MAX_MASTERS = 9;
/** More processes than a machine can bear. */
export const MAX_AGENTS = 1000;
const MAX_TASKS = 1_000_000;
const NAME_WIDTH = 11;

export const parseMasters = (path: string, text: string): number => parseInteger(path, 'masters', text, 1, MAX_MASTERS);

export function parseCoordinator(path: string, text: string | undefined): ServerKind | undefined {
  if (text === undefined || text === 'zookeeper' || text === 'etcd') return text;
  throw usageError(path, `--coordinator: expected zookeeper or etcd, got '${text}'`);
}

function describe(cluster: LocalCluster): void {
  if (cluster.coordinator !== undefined) printText(`  ${cluster.coordinator.padEnd(NAME_WIDTH)}${cluster.address}`);
  for (const { name, address } of [...cluster.masters, ...cluster.agents])
    printText(`  ${name.padEnd(NAME_WIDTH)}http://${address}`);
  printText(`  ${'logs'.padEnd(NAME_WIDTH)}${cluster.workDir}\n`);
}

async function work(
  cluster: LocalCluster,
  tasks: number,
  exit: boolean,
  interrupted: Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  let status: number = EXIT.done;
  if (tasks > 0) {
    printText(`Running ${tasks} tasks ...`);
    const show = createProgressLine();
    const result = await runWorkload(cluster.address, tasks, (progress) => show.update(progressLine(progress)), signal);
    if (signal.aborted) return EXIT.done;
    show.end(progressLine(result));
    printText(`\n${summarize(result, performance.now())}`);
    status = allFinished(result) ? EXIT.done : EXIT.failed;
  }
  if (exit) return status;
  printText(`\nThe cluster stays up. Try, in another terminal:`);
  printText(`  meseta run --master=${cluster.address} --command='echo hello; hostname'`);
  printText(`  meseta agent list --master=${cluster.address}`);
  printText('Ctrl-C ends it.');
  await interrupted;
  return status;
}

function failed(text: string): number {
  process.stderr.write(`meseta up: ${text}\n`);
  return EXIT.failed;
}

/** On a terminal one line that is overwritten; otherwise one line each second. */
function createProgressLine() {
  const isTerminal = process.stdout.isTTY;
  const pauseMs = isTerminal ? 100 : 1000;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  return {
    update(line: string): void {
      const now = performance.now();
      if (now - shownAtMs < pauseMs) return;
      shownAtMs = now;
      process.stdout.write(isTerminal ? `\r\x1b[K  ${line}` : `  ${line}\n`);
    },
    end(line: string): void {
      process.stdout.write(`${isTerminal ? '\r\x1b[K' : ''}  ${line}\n`);
    },
  };
}
