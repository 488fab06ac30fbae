// The launch plan: from a container's spec to the argv that becomes its first process, and to the small shell
// text that the resident spawner's child reads. Pure: what the machine offers comes in as `LaunchTools`.
//
// I1: the text evaluates nothing of the task's: every value in it is one quoted word.
// I2: a plan that can't be carried out exactly is refused with a reason; nothing is left out silently.
import { err, ok, type Result } from '@meseta/base';
import type { RLimitInfoRLimit } from '@meseta/wire';
import { rlimitSteps } from './rlimits.js';
import { shellWord, shellWords } from './shell-quote.js';
import type { ContainerSpec } from './types.js';

/** What this machine has; each an absolute path, undefined where it is missing. */
export interface LaunchTools {
  readonly shell: string;
  readonly setsid: string;
  readonly env: string;
  /** `env` can reset the signals that a shell ignores in its background jobs (coreutils 8.31). */
  readonly envResetsSignals: boolean;
  /** util-linux's: it can change user and groups (busybox's can't). */
  readonly setpriv: string | undefined;
  readonly su: string | undefined;
  readonly prlimit: string | undefined;
  readonly bash: string | undefined;
  readonly perl: string | undefined;
}

/** The user that a container runs as; undefined when it is the agent's own. */
export interface LaunchOwner {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What this process may hand down. */
export interface LaunchLimits {
  readonly current: ReadonlyMap<string, { readonly soft: number; readonly hard: number }>;
  /** CAP_SYS_RESOURCE: hard limits may be raised. */
  readonly mayRaise: boolean;
}

export interface LaunchPlan {
  /** The first process, the environment not included. */
  readonly argv: readonly string[];
  /** The shell text: it ends in an `exec`. */
  readonly script: string;
}

export type Command = Pick<ContainerSpec['command'], 'shell' | 'value' | 'arguments'>;

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * The argv of a command. Its first argument is the program's own name (mesos.proto, CommandInfo.arguments): where
 * that differs from the program's last part, a tool must set it.
 */
export function commandArgv(command: Command, tools: LaunchTools): Result<readonly string[], string> {
  const value = command.value ?? '';
  if (value === '') return err('command.value: expected a command, got nothing');
  if (command.shell ?? true) return ok([tools.shell, '-c', value]);
  const [ownName, ...rest] = command.arguments ?? [];
  if (ownName === undefined || baseName(ownName) === baseName(value)) return ok([value, ...rest]);
  if (tools.perl !== undefined) {
    const program = 'my $p = shift; exec {$p} @ARGV; print STDERR "Failed to execute $p: $!\\n"; exit 127';
    return ok([tools.perl, '-e', program, '--', value, ownName, ...rest]);
  }
  if (tools.bash !== undefined) return ok([tools.bash, '-c', 'exec -a "$0" "$@"', ownName, value, ...rest]);
  return err(
    `command.arguments: "${ownName}" as the name of ${value} needs perl or bash on this machine; ` +
      `start the arguments with "${value}"`,
  );
}

function ownerArgv(owner: LaunchOwner | undefined, tools: LaunchTools): Result<readonly string[], string> {
  if (owner === undefined) return ok([]);
  if (tools.setpriv !== undefined) {
    return ok([tools.setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups', '--']);
  }
  if (tools.su !== undefined) return ok([tools.su, '-s', tools.shell, owner.name, '-c', 'exec "$@"', 'sh']);
  return err(`user "${owner.name}": neither setpriv nor su is on this machine`);
}

function environmentArgv(
  environment: ContainerSpec['environment'],
  tools: LaunchTools,
): Result<readonly string[], string> {
  const assignments: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (name === '' || name.includes('=')) return err(`environment: "${name}" can't be a variable's name`);
    assignments.push(`${name}=${value}`);
  }
  const reset = tools.envResetsSignals ? ['--default-signal=INT,QUIT'] : [];
  return ok([tools.env, '-i', ...reset, '--', ...assignments]);
}

/** A word with `=` in the program's place would be taken for a variable by env. */
const afterAssignments = (argv: readonly string[], tools: LaunchTools): readonly string[] =>
  argv[0]?.includes('=') ? [tools.shell, '-c', 'exec "$@"', 'sh', ...argv] : argv;

/** The argv that makes `command` run as `owner` with exactly `environment`; it replaces the process that runs it. */
export function commandAsOwner(
  command: Command,
  environment: ContainerSpec['environment'],
  owner: LaunchOwner | undefined,
  tools: LaunchTools,
): Result<readonly string[], string> {
  const argv = commandArgv(command, tools);
  if (!argv.ok) return argv;
  const switching = ownerArgv(owner, tools);
  if (!switching.ok) return switching;
  const variables = environmentArgv(environment, tools);
  if (!variables.ok) return variables;
  const whole = [...switching.value, ...variables.value, ...afterAssignments(argv.value, tools)];
  if (whole.some((word) => word.includes('\0'))) return err('command or environment: a NUL byte is in it');
  return ok(whole);
}

/** The plan of `spec`, or why it can't be run on this machine. */
export function launchPlan(
  spec: ContainerSpec,
  owner: LaunchOwner | undefined,
  tools: LaunchTools,
  limits: LaunchLimits,
): Result<LaunchPlan, string> {
  const command = commandAsOwner(spec.command, spec.environment, owner, tools);
  if (!command.ok) return command;
  const wanted: readonly RLimitInfoRLimit[] = spec.rlimits?.rlimits ?? [];
  const rlimits = rlimitSteps(wanted, limits, tools.prlimit);
  if (!rlimits.ok) return rlimits;
  const argv = [tools.setsid, ...rlimits.value.argv, ...command.value];
  const at = (name: string): string => shellWord(`${spec.sandbox}/${name}`);
  const script = [
    `exec </dev/null >>${at('stdout')} 2>>${at('stderr')}`,
    `cd ${shellWord(spec.sandbox)} || exit 126`,
    ...rlimits.value.lines,
    `exec ${shellWords(argv)}`,
    '',
  ].join('\n');
  return ok({ argv, script });
}
