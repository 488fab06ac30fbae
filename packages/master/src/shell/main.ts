// `meseta master`: reads flags, starts a master and runs it until a signal or a fatal error.
import { createLogger, flagsHelp, installDaemon, type LogLevel, oneLine, parseFlags } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { openLogFile, teeTo } from '@meseta/platform/log-file';
import { withLibprocessVariables } from '@meseta/platform/own-address';
import { readFlagFile } from '@meseta/platform/start-files';
import { configurationOf } from './configuration.js';
import { masterFlags } from './flags.js';
import { startMaster } from './start.js';

/**
 * Resolves with the exit status. A signal ends the process with status 0 without resolving it. `rehearses`: a benchmark compares
 * standbys with and without a rehearsal.
 */
export async function masterMain(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  { rehearses = true }: { readonly rehearses?: boolean } = {},
): Promise<number> {
  const fail = (text: string): number => {
    process.stderr.write(`meseta master: ${oneLine(text)}\n`);
    return 1;
  };
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(flagsHelp('Usage: meseta master [--FLAG=VALUE]...', masterFlags));
    return 0;
  }
  const parsed = parseFlags(masterFlags, { argv, env, prefix: 'MESOS_', readFile: readFlagFile });
  if (!parsed.ok) return fail(`${parsed.error.message} (meseta master --help lists the flags)`);
  const { shown, given, warnings } = parsed.value;
  const addressed = withLibprocessVariables(parsed.value.values, given, env);
  if (!addressed.ok) return fail(`${addressed.error.flag}: ${addressed.error.text}`);
  const values = addressed.value;
  if (values.version) {
    process.stdout.write(`meseta ${buildInfo.version}\n`);
    return 0;
  }
  const logFile = values.log_dir === undefined ? undefined : openLogFile(values.log_dir, 'mesos-master');
  if (logFile?.ok === false) return fail(`Flag --log_dir: ${logFile.error}`);
  const log = createLogger({
    component: 'master',
    level: values.quiet ? 'error' : (values.logging_level.toLowerCase() as LogLevel),
    write: logFile && teeTo(logFile.value),
  });
  for (const warning of warnings) log.warning(warning);
  const configuration = await configurationOf(values, shown, log, env, values.external_log_file ?? logFile?.value.path);
  if (!configuration.ok) return fail(configuration.error.text);
  if (values.ip === undefined && values.ip_discovery_command === undefined)
    log.info('listening on loopback only: give --ip to be reached from other machines');

  return new Promise((resolve) => {
    const end = (message: string): void => {
      log.error(`ending: ${message}`);
      process.exit(1);
    };
    const config = configuration.value;
    startMaster({ ...config, rehearses: config.rehearses && rehearses }, end).then(
      (started) => {
        if (!started.ok) return resolve(fail(started.error.text));
        log.info(`master at http://${started.value.address}`);
        installDaemon({ log, stop: () => started.value.stop() });
      },
      (cause: unknown) => end(cause instanceof Error ? cause.message : String(cause)),
    );
  });
}
