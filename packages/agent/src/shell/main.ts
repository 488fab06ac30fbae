// The command `meseta agent`: parses flags, runs an agent, handles signals, returns the exit status.
import { createLogger, flagsHelp, installDaemon, type LogLevel, oneLine, parseFlags } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { closeInherited } from '@meseta/platform/descriptors';
import { discoverIp } from '@meseta/platform/discover-ip';
import { openLogFile, teeTo } from '@meseta/platform/log-file';
import { withLibprocessVariables } from '@meseta/platform/own-address';
import { readFlagFile } from '@meseta/platform/start-files';
import { type RunningAgent, startAgent } from './agent-process.js';
import { agentFlags } from './flags.js';
import { imageHelperCommand } from './image-helper-main.js';
import { supervisorCommand } from './supervisor-main.js';

const USAGE =
  'Usage: meseta agent --master=HOST:PORT --work_dir=PATH [--FLAG=VALUE]...\n\n' +
  'Runs an agent: it offers the resources of this machine to a cluster and runs tasks. Flags may also be given in the\n' +
  'environment, as MESOS_FLAG. SIGTERM ends the agent; its tasks run on for the next agent with this work_dir.\n' +
  'SIGUSR1 ends its tasks too and leaves the cluster.';

/** Runs an agent until it ends. Returns the process' exit status. */
export async function agentMain(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  closeInherited();
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(flagsHelp(USAGE, agentFlags));
    return 0;
  }
  if (argv.includes('--version')) {
    process.stdout.write(`mesos ${buildInfo.version}\n`);
    return 0;
  }
  const parsed = parseFlags(agentFlags, {
    argv,
    env,
    prefix: 'MESOS_',
    readFile: readFlagFile,
  });
  const fail = (text: string): number => {
    process.stderr.write(`meseta agent: ${oneLine(text)}\n`);
    return 1;
  };
  if (!parsed.ok) return fail(`${parsed.error.message} (meseta agent --help lists the flags)`);
  const { shown, given, warnings } = parsed.value;
  const addressed = withLibprocessVariables(parsed.value.values, given, env);
  if (!addressed.ok) return fail(`${addressed.error.flag}: ${addressed.error.text}`);
  const values = addressed.value;
  const found = values.ip_discovery_command === undefined ? undefined : await discoverIp(values.ip_discovery_command);
  if (found?.ok === false) return fail(`Flag --ip_discovery_command: ${found.error}`);
  const flags = found === undefined ? values : { ...values, ip: found.value };
  const logFile = flags.log_dir === undefined ? undefined : openLogFile(flags.log_dir, 'mesos-agent');
  if (logFile?.ok === false) return fail(`Flag --log_dir: ${logFile.error}`);
  const log = createLogger({
    component: 'agent',
    level: flags.quiet ? 'error' : (flags.logging_level.toLowerCase() as LogLevel),
    write: logFile && teeTo(logFile.value),
  });
  for (const warning of warnings) log.warning(warning);

  return new Promise<number>((resolve) => {
    let agent: RunningAgent | undefined;
    let ending = false;
    /** Stops the agent; one that is still starting is stopped after its start. */
    const end = async (status: 0 | 1, message: string): Promise<void> => {
      if (ending) return;
      ending = true;
      log[status === 0 ? 'info' : 'error'](`ending: ${message}`);
      await starting;
      await agent?.stop();
      uninstall();
      process.off('SIGUSR1', leave);
      resolve(status);
    };
    const leave = (): void => agent?.leave('SIGUSR1: leaving the cluster');
    const uninstall = installDaemon({ log, stop: async () => agent?.stop() });
    process.on('SIGUSR1', leave);
    const starting = startAgent({
      flags,
      shown,
      log,
      logFile: flags.external_log_file ?? logFile?.value.path,
      env,
      supervisor: supervisorCommand(process.argv[1] ?? ''),
      imageHelper: imageHelperCommand(process.argv[1] ?? ''),
      onExit: (status, message) => void end(status, message),
    }).then(
      (started) => {
        if (!started.ok) void end(1, started.error);
        else {
          agent = started.value;
          log.info(`listening on ${agent.address}, version ${buildInfo.version}`);
        }
      },
      (cause: unknown) => void end(1, cause instanceof Error ? cause.message : String(cause)),
    );
  });
}
