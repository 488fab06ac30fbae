// The launch plan: turns a container's spec into the program that its first process becomes, with the parts that isolators
// add. Pure: `HostFacts` says what the machine offers.
//
// PLAN-1: no value of a task is ever evaluated: each is passed on as a whole word.
// PLAN-2: a plan that can't be carried out exactly is refused with the reason; no part of a spec is dropped silently.
import {
  type ChildInput,
  type ContainerId,
  err,
  type LinuxPlan,
  ok,
  type ProcessLimit,
  type Result,
} from '@meseta/base';
import type { HostFacts, Isolator, PlanPatch, VolumeLink } from '../isolators/isolator.js';
import { placeOfSandbox } from '../sandbox/sandbox.js';
import type { Capabilities, ContainerSpec } from '../types.js';
import { mergeLinuxPlans } from './linux-plan.js';
import { findUnsupportedField, findUnsupportedPodField } from './supported.js';

/** The user that a container runs as; undefined when it is the agent's own. */
export interface LaunchOwner {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** All groups of the user, `gid` among them. */
  readonly groups: readonly number[];
}

/** The resource limits of this process. */
export interface LaunchLimits {
  readonly current: ReadonlyMap<string, { readonly soft: number; readonly hard: number }>;
  /** Whether it may raise hard limits (CAP_SYS_RESOURCE). */
  readonly mayRaise: boolean;
}

/** A directory by path and identity: another directory that has the path at the time of the launch is not entered. */
export interface PlanDirectory {
  readonly path: string;
  readonly identity: string;
}

/** What a container's first process becomes. */
export interface LaunchPlan {
  /** Looked up in the environment's PATH when it has no slash. */
  readonly program: string;
  /** The first word is the program's own name. */
  readonly argv: readonly string[];
  /** Nothing else is inherited. */
  readonly environment: ContainerSpec['environment'];
  /** Has `stdout` and `stderr`, and is the working directory unless there is a `startDirectory`. */
  readonly directory: PlanDirectory;
  readonly startDirectory?: PlanDirectory | undefined;
  /** undefined: it has no input. */
  readonly input?: ChildInput | undefined;
  readonly owner: LaunchOwner | undefined;
  /** The others are those of the agent. */
  readonly rlimits: readonly ProcessLimit[];
  /** The cgroup that has the container's processes, one of `cgroups`; undefined: they are those of its session. */
  readonly cgroup: string | undefined;
  /** Absolute directories in hierarchies of cgroups, which the first process joins before it executes anything. */
  readonly cgroups: readonly string[];
  /** `oom_score_adj` (proc(5)); undefined: that of the agent. */
  readonly oomScoreAdjustment?: number;
  /** undefined: it has the agent's own namespaces, file system and privileges. */
  readonly linux: LinuxPlan | undefined;
  /** The running container whose namespaces and privileges it has, in place of `linux`. */
  readonly inside?: ContainerId;
  /** The running container of which it shares namespaces or mounts, as `linux` says. */
  readonly parent?: ContainerId;
  /** It runs no program: it is the container of a pod (pods.ts). */
  readonly isPause?: true;
}

/** A plan without the directory, which is made later. */
export type CommandPlan = Omit<LaunchPlan, 'directory' | 'startDirectory'>;

const SHELL = '/bin/sh';
/** The isolator docker/runtime replaces it, or fails. */
const PROGRAM_OF_IMAGE = '/';

export type Command = Pick<ContainerSpec['command'], 'shell' | 'value' | 'arguments'>;

type Executable = Pick<LaunchPlan, 'program' | 'argv'>;

/** The first of the arguments is the program's own name (mesos.proto, CommandInfo.arguments). */
function executableOf(command: Command): Result<Executable, string> {
  const value = command.value ?? '';
  if (value === '') return err('command.value: expected a command, got nothing');
  if (command.shell ?? true) return ok({ program: SHELL, argv: [SHELL, '-c', value] });
  const [ownName = value, ...rest] = command.arguments ?? [];
  return ok({ program: value, argv: [ownName, ...rest] });
}

/** Why no process can have these arguments or this environment. */
function findInvalidWord(words: readonly string[], environment: ContainerSpec['environment']): string | undefined {
  const entries = Object.entries(environment);
  const name = entries.map(([it]) => it).find((it) => it === '' || it.includes('='));
  if (name !== undefined) return `environment: "${name}" can't be a variable's name`;
  const hasNul = (word: string): boolean => word.includes('\0');
  return words.some(hasNul) || entries.some(([it, value]) => hasNul(it) || hasNul(value))
    ? 'command or environment: a NUL byte is in it'
    : undefined;
}

/** The plan of a command that keeps the directory and the limits of the process that starts it. */
export function commandPlan(
  command: Command,
  environment: ContainerSpec['environment'],
  owner: LaunchOwner | undefined,
): Result<CommandPlan, string> {
  const executable = executableOf(command);
  if (!executable.ok) return executable;
  const problem = findInvalidWord([executable.value.program, ...executable.value.argv], environment);
  if (problem !== undefined) return err(problem);
  return ok({ ...executable.value, environment, owner, rlimits: [], cgroup: undefined, cgroups: [], linux: undefined });
}

/** A container's plan but for its sandbox, which is made before. */
export interface ContainerPlan {
  readonly command: CommandPlan;
  /** In the order in which they are made. */
  readonly links: readonly VolumeLink[];
}

/** Limits replace those before; links, cgroups and what concerns Linux are added. */
export function applyPatch({ command, links }: ContainerPlan, patch: PlanPatch): ContainerPlan {
  return {
    command: {
      ...command,
      rlimits: patch.rlimits ?? command.rlimits,
      cgroup: patch.cgroup ?? command.cgroup,
      cgroups: [...new Set([...command.cgroups, ...(patch.cgroups ?? [])])],
      ...(patch.oomScoreAdjustment === undefined ? {} : { oomScoreAdjustment: patch.oomScoreAdjustment }),
      ...patch.executable,
      environment: patch.environment ?? command.environment,
      ...(patch.parent === undefined ? {} : { parent: patch.parent }),
      linux: linuxOf(command.linux, patch),
    },
    links: [...links, ...(patch.links ?? [])],
  };
}

function linuxOf(before: LinuxPlan | undefined, { linux, root }: PlanPatch): LinuxPlan | undefined {
  const merged = linux === undefined ? before : mergeLinuxPlans(before, linux);
  return root === undefined
    ? merged
    : moveIntoRoot(mergeLinuxPlans(merged, { root: root.path, namespaces: ['mount'] }), root);
}

/** The plan of a container with a root of its own: mounts in the sandbox are moved to the sandbox's place in the root. */
function moveIntoRoot(plan: LinuxPlan, { sandbox, sandboxInRoot }: NonNullable<PlanPatch['root']>): LinuxPlan {
  const targetOf = (target: string): string =>
    target.startsWith(`${sandbox}/`) ? sandboxInRoot + target.slice(sandbox.length) : target;
  return {
    ...plan,
    sandboxInRoot,
    mounts: [
      { kind: 'bind', source: placeOfSandbox(sandbox), target: sandboxInRoot, isReadOnly: false },
      ...plan.mounts.map((mount) => ({ ...mount, target: targetOf(mount.target) })),
    ],
  };
}

/** What plans are made with, the same for every container of an agent. */
export interface PlanContext {
  readonly isolators: readonly Isolator[];
  readonly capabilities: Capabilities;
  readonly host: HostFacts;
}

function findUnsupported({ container, outer }: ContainerSpec, capabilities: Capabilities): string | undefined {
  const podContainer = outer?.pod?.container;
  return (
    (container && findUnsupportedField(container, { isNested: outer !== undefined, capabilities })) ??
    (podContainer && findUnsupportedPodField(podContainer, capabilities))
  );
}

/** The plan of `spec`, or why this machine can't run it. */
export function planContainer(
  spec: ContainerSpec,
  owner: LaunchOwner | undefined,
  { isolators, capabilities, host }: PlanContext,
): Result<ContainerPlan, string> {
  const unsupported = findUnsupported(spec, capabilities);
  if (unsupported !== undefined) return err(unsupported);
  const command = commandPlan(commandOf(spec), spec.environment, owner);
  if (!command.ok) return command;
  let plan: ContainerPlan = { command: { ...command.value, ...inputOf(spec), ...parentOf(spec, host) }, links: [] };
  for (const isolator of isolators) {
    const patch = isolator.plan?.(spec, host);
    if (patch === undefined) continue;
    if (!patch.ok) return patch;
    plan = applyPatch(plan, patch.value);
  }
  if (replacesFiles(spec) && owner !== undefined && owner.uid !== 0) {
    plan = applyPatch(plan, { linux: { noNewPrivileges: true } });
  }
  return spec.isSession === true && host.linux.ok ? moveInside(plan, spec.outer) : ok(plan);
}

/**
 * Whether a volume replaces files of the machine in the container's view. Programs with setuid trust such files, for instance
 * /etc/passwd: a user who chooses their content must not run these programs.
 */
const replacesFiles = ({ container }: ContainerSpec): boolean =>
  container?.mesos?.image === undefined &&
  (container?.volumes ?? []).some(({ container_path }) => container_path.startsWith('/'));

/** The executor of a pod is no container; pods.ts makes one where it is needed. */
const parentOf = ({ outer, isSession }: ContainerSpec, { linux }: HostFacts): Pick<LaunchPlan, 'parent'> =>
  outer === undefined || outer.pod !== undefined || isSession === true || !linux.ok
    ? {}
    : { parent: outer.containerId };

/** A session sees what its parent sees. The executor of a pod is no container, so there is nothing to see. */
function moveInside(plan: ContainerPlan, outer: ContainerSpec['outer']): Result<ContainerPlan, string> {
  if (outer === undefined || outer.pod !== undefined) return ok(plan);
  if (plan.links.length > 0) return err('container.volumes: a session has the volumes of its parent');
  return ok({ ...plan, command: { ...plan.command, linux: undefined, inside: outer.containerId } });
}

/** With an image, the program may be the image's, which is not known before `prepare`. */
function commandOf({ command, container }: ContainerSpec): Command {
  const isImages = container?.mesos?.image !== undefined && command.shell === false && (command.value ?? '') === '';
  return isImages ? { ...command, value: PROGRAM_OF_IMAGE } : command;
}

/** As in Mesos, only sessions and containers with a terminal have an input. */
function inputOf({ isSession, container }: ContainerSpec): Pick<LaunchPlan, 'input'> {
  const terminal = container?.tty_info;
  if (terminal !== undefined) return { input: { kind: 'terminal', window: terminal.window_size } };
  return isSession === true ? { input: { kind: 'pipe' } } : {};
}
