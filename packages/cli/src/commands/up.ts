// `meseta up`: a cluster on this machine and a workload on it, with one command.
import { EXIT, parse, parseNumber } from '../command.js';
import { type LocalCluster, startLocalCluster } from '../up/local-cluster.js';
import { allFinished, progressLine, summarize } from '../up/summary.js';
import { runWorkload } from '../up/workload.js';

const USAGE = `Usage: meseta up [OPTION]...
Starts a master and agents on this machine's loopback, runs tasks of a few kinds through the real scheduler API,
shows what came of them, and stays up until Ctrl-C, which leaves nothing behind.

      --tasks=N            how many tasks to run (default 200; 0 for none)
      --agents=N           how many agents (default 2)
      --port=N             the master's port, if it is free (default 5050)
      --resources=TEXT     each agent's (default cpus:4;mem:2048;disk:4096;ports:[31000-32000])
      --work-dir=DIR       keep state and logs there, and start from what is there
      --exit               end after the workload: status 0 if every task finished
  -h, --help
`;

const options = {
  tasks: { type: 'string', default: '200' },
  agents: { type: 'string', default: '2' },
  port: { type: 'string', default: '5050' },
  resources: { type: 'string', default: 'cpus:4;mem:2048;disk:4096;ports:[31000-32000]' },
  'work-dir': { type: 'string' },
  exit: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function upProgram(argv: readonly string[]): Promise<number> {
  const { values } = parse('up', { args: [...argv], options });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  const tasks = parseNumber('up', 'tasks', values.tasks);
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  print('Starting a master and agents on loopback ...');
  const cluster = await startLocalCluster({
    agents: parseNumber('up', 'agents', values.agents),
    port: parseNumber('up', 'port', values.port),
    workDir: values['work-dir'],
    resources: values.resources,
  });
  try {
    describe(cluster);
    return await Promise.race([
      work(cluster, tasks, values.exit ?? false, interrupted),
      interrupted.then(() => EXIT.done),
      cluster.failure.then((text) => failed(text)),
    ]);
  } finally {
    print('\nStopping ...');
    await cluster.stop();
    print(
      values['work-dir'] === undefined ? 'Stopped; nothing is left.' : `Stopped; state is kept in ${cluster.workDir}.`,
    );
  }
}

function describe(cluster: LocalCluster): void {
  print(`  master   http://${cluster.master}`);
  cluster.agents.forEach((address, at) => {
    print(`  agent-${at + 1}  http://${address}`);
  });
  print(`  logs     ${cluster.workDir}\n`);
}

async function work(cluster: LocalCluster, tasks: number, exit: boolean, interrupted: Promise<void>): Promise<number> {
  let status: number = EXIT.done;
  if (tasks > 0) {
    print(`Running ${tasks} tasks ...`);
    const show = createProgressLine();
    const progress = await runWorkload(cluster.master, tasks, (now) => show.update(progressLine(now)));
    show.end(progressLine(progress));
    print(`\n${summarize(progress, performance.now())}`);
    status = allFinished(progress) ? EXIT.done : EXIT.failed;
  }
  if (exit) return status;
  print(`\nThe cluster stays up. Try, in another terminal:`);
  print(`  meseta run --master=${cluster.master} --command='echo hello; hostname'`);
  print(`  meseta agent list --master=${cluster.master}`);
  print('Ctrl-C ends it.');
  await interrupted;
  return status;
}

function failed(text: string): number {
  process.stderr.write(`meseta up: ${text}\n`);
  return EXIT.failed;
}

/** One line that is written over on a terminal; elsewhere a line a second. */
function createProgressLine() {
  const terminal = process.stdout.isTTY;
  const pauseMs = terminal ? 100 : 1000;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  return {
    update(line: string): void {
      const now = performance.now();
      if (now - shownAtMs < pauseMs) return;
      shownAtMs = now;
      process.stdout.write(terminal ? `\r\x1b[K  ${line}` : `  ${line}\n`);
    },
    end(line: string): void {
      process.stdout.write(`${terminal ? '\r\x1b[K' : ''}  ${line}\n`);
    },
  };
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
