// The launch plan: from a container's spec to the program that becomes its first process. Pure: what the machine offers
// comes in as `LaunchTools`.
//
// I1: nothing of the task's is ever evaluated: its values travel as whole words.
// I2: a plan that can't be carried out exactly is refused with a reason; nothing is left out silently.
// I3: tools that run on the way to the command (as the agent's own user) see nothing of its environment.
import { err, ok, type Result } from '@meseta/base';
import type { RLimitInfoRLimit } from '@meseta/wire';
import { rlimitArgv } from './rlimits.js';
import type { ContainerSpec } from './types.js';

/** What this machine has; each an absolute path, undefined where it is missing. */
export interface LaunchTools {
  readonly shell: string;
  /** Only a supervisor that is a shell needs it. */
  readonly setsid: string | undefined;
  readonly env: string;
  /** `env` can reset the signals that a shell ignores in its background jobs (coreutils 8.31). */
  readonly envResetsSignals: boolean;
  /** util-linux's: it can change user and groups (busybox's can't). */
  readonly setpriv: string | undefined;
  readonly su: string | undefined;
  readonly prlimit: string | undefined;
  readonly bash: string | undefined;
  readonly perl: string | undefined;
  /** perl has its POSIX module: it can be the supervisor (supervisor-perl.ts). */
  readonly perlSupervises: boolean;
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

/** What a supervisor's child becomes. */
export interface LaunchPlan {
  /** Looked up in the environment's PATH when it has no slash. */
  readonly program: string;
  /** The first is the program's own name. */
  readonly argv: readonly string[];
  /** The whole of it. */
  readonly environment: ContainerSpec['environment'];
  /** Where it runs, `stdout` and `stderr` in it. */
  readonly directory: string;
}

export type Command = Pick<ContainerSpec['command'], 'shell' | 'value' | 'arguments'>;

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

type Executable = Pick<LaunchPlan, 'program' | 'argv'>;

/** The first of a command's arguments is the program's own name (mesos.proto, CommandInfo.arguments). */
function executableOf(command: Command, { shell }: LaunchTools): Result<Executable, string> {
  const value = command.value ?? '';
  if (value === '') return err('command.value: expected a command, got nothing');
  if (command.shell ?? true) return ok({ program: shell, argv: [shell, '-c', value] });
  const [ownName = value, ...rest] = command.arguments ?? [];
  return ok({ program: value, argv: [ownName, ...rest] });
}

/** As words that another program executes: where a program's own name differs from its last part, a tool must set it. */
function wordsOf({ program: value, argv }: Executable, tools: LaunchTools): Result<readonly string[], string> {
  const [ownName = value, ...rest] = argv;
  if (baseName(ownName) === baseName(value)) return ok([value, ...rest]);
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

/** What no process can be given, if there is any. */
function impossible(words: readonly string[], environment: ContainerSpec['environment']): string | undefined {
  const name = Object.keys(environment).find((it) => it === '' || it.includes('='));
  if (name !== undefined) return `environment: "${name}" can't be a variable's name`;
  const all = [...words, ...Object.entries(environment).flat()];
  return all.some((word) => word.includes('\0')) ? 'command or environment: a NUL byte is in it' : undefined;
}

function environmentArgv(environment: ContainerSpec['environment'], tools: LaunchTools): readonly string[] {
  const reset = tools.envResetsSignals ? ['--default-signal=INT,QUIT'] : [];
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [tools.env, '-i', ...reset, '--', ...assignments];
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
  const executable = executableOf(command, tools);
  if (!executable.ok) return executable;
  const words = wordsOf(executable.value, tools);
  if (!words.ok) return words;
  const switching = ownerArgv(owner, tools);
  if (!switching.ok) return switching;
  const problem = impossible(words.value, environment);
  if (problem !== undefined) return err(problem);
  return ok([...switching.value, ...environmentArgv(environment, tools), ...afterAssignments(words.value, tools)]);
}

/** The plan of `spec`, or why it can't be run on this machine. */
export function launchPlan(
  spec: ContainerSpec,
  owner: LaunchOwner | undefined,
  tools: LaunchTools,
  limits: LaunchLimits,
): Result<LaunchPlan, string> {
  const wanted: readonly RLimitInfoRLimit[] = spec.rlimits?.rlimits ?? [];
  const rlimits = rlimitArgv(wanted, limits, tools);
  if (!rlimits.ok) return rlimits;
  const { sandbox: directory, environment } = spec;
  if (tools.perlSupervises && owner === undefined && rlimits.value.length === 0) {
    const executable = executableOf(spec.command, tools);
    const problem = executable.ok ? impossible(executable.value.argv, environment) : undefined;
    if (problem !== undefined) return err(problem);
    return executable.ok ? ok({ ...executable.value, environment, directory }) : executable;
  }
  const command = commandAsOwner(spec.command, environment, owner, tools);
  if (!command.ok) return command;
  const session = tools.perlSupervises || tools.setsid === undefined ? [] : [tools.setsid];
  const argv = [...session, ...rlimits.value, ...command.value];
  return ok({ program: argv[0] ?? '', argv, environment: {}, directory });
}
