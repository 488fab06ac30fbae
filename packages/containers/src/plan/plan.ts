// The launch plan: from a container's spec to the program that becomes its first process. Pure: what the machine offers
// comes in as `LaunchTools`.
//
// PLAN-1: nothing of the task's is ever evaluated: its values travel as whole words.
// PLAN-2: a plan that can't be carried out exactly is refused with a reason; nothing is left out silently.
// PLAN-3: tools that run on the way to the command as the agent's own user see nothing of its environment.
// PLAN-4: no process has the environment among its arguments, which every user of the machine can read.
import { err, ok, type Result } from '@meseta/base';
import type { RLimitInfoRLimit } from '@meseta/wire';
import type { ContainerSpec } from '../types.js';
import { rlimitArgv } from './rlimits.js';
import { unsupportedPart, unsupportedPodPart } from './supported.js';

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
  /** perl has its POSIX module: it can be the supervisor (supervisor/perl.ts). */
  readonly perlSupervises: boolean;
}

/** The user that a container runs as; undefined when it is the agent's own. */
export interface LaunchOwner {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** All groups of the user, `gid` among them. */
  readonly groups: readonly number[];
}

/** What this process may hand down. */
export interface LaunchLimits {
  readonly current: ReadonlyMap<string, { readonly soft: number; readonly hard: number }>;
  /** CAP_SYS_RESOURCE: hard limits may be raised. */
  readonly mayRaise: boolean;
}

/** A directory by its path and by what it is: what else has come to lie there by the time of the launch is not entered. */
export interface PlanDirectory {
  readonly path: string;
  readonly identity: string;
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
  readonly directory: PlanDirectory;
  readonly owner: LaunchOwner | undefined;
  /** The tool that sets the limits with its arguments (`rlimitArgv`); none: the agent's own limits stay. */
  readonly rlimits: readonly string[];
}

/** What a process becomes that is in its directory and has its streams already. */
export type CommandPlan = Omit<LaunchPlan, 'directory'>;

export type Command = Pick<ContainerSpec['command'], 'shell' | 'value' | 'arguments'>;

type Executable = Pick<LaunchPlan, 'program' | 'argv'>;

/** The first of a command's arguments is the program's own name (mesos.proto, CommandInfo.arguments). */
function executableOf(command: Command, { shell }: LaunchTools): Result<Executable, string> {
  const value = command.value ?? '';
  if (value === '') return err('command.value: expected a command, got nothing');
  if (command.shell ?? true) return ok({ program: shell, argv: [shell, '-c', value] });
  const [ownName = value, ...rest] = command.arguments ?? [];
  return ok({ program: value, argv: [ownName, ...rest] });
}

/** What no process can be given, if there is any. */
function impossible(words: readonly string[], environment: ContainerSpec['environment']): string | undefined {
  const entries = Object.entries(environment);
  const name = entries.map(([it]) => it).find((it) => it === '' || it.includes('='));
  if (name !== undefined) return `environment: "${name}" can't be a variable's name`;
  const hasNul = (word: string): boolean => word.includes('\0');
  return words.some(hasNul) || entries.some(([it, value]) => hasNul(it) || hasNul(value))
    ? 'command or environment: a NUL byte is in it'
    : undefined;
}

/** The plan of a command that runs where it is started, without limits of its own. */
export function commandPlan(
  command: Command,
  environment: ContainerSpec['environment'],
  owner: LaunchOwner | undefined,
  tools: LaunchTools,
): Result<CommandPlan, string> {
  const executable = executableOf(command, tools);
  if (!executable.ok) return executable;
  const problem = impossible([executable.value.program, ...executable.value.argv], environment);
  return problem === undefined ? ok({ ...executable.value, environment, owner, rlimits: [] }) : err(problem);
}

function unsupportedIn({ container, outer }: ContainerSpec): string | undefined {
  const { podContainer } = outer ?? {};
  return (
    (container && unsupportedPart(container, { isNested: outer !== undefined })) ??
    (podContainer && unsupportedPodPart(podContainer))
  );
}

/** The plan of `spec`, whose sandbox is the directory of this `identity`, or why it can't be run on this machine. */
export function launchPlan(
  spec: ContainerSpec,
  identity: string,
  owner: LaunchOwner | undefined,
  tools: LaunchTools,
  limits: LaunchLimits,
): Result<LaunchPlan, string> {
  const unsupported = unsupportedIn(spec);
  if (unsupported !== undefined) return err(unsupported);
  const wanted: readonly RLimitInfoRLimit[] = spec.rlimits?.rlimits ?? [];
  const rlimits = rlimitArgv(wanted, limits, tools);
  if (!rlimits.ok) return rlimits;
  const plan = commandPlan(spec.command, spec.environment, owner, tools);
  const directory = { path: spec.sandbox, identity };
  return plan.ok ? ok({ ...plan.value, directory, rlimits: rlimits.value }) : plan;
}
