// Merges an image's configuration with a task's command (Mesos: docs/isolators/docker-runtime.md). Pure.
import { err, ok, type Result } from '@meseta/base';
import type { ContainerSpec } from '../types.js';
import type { ImageConfig } from './manifests.js';

/** A program with its arguments, the first of which is its own name. */
export interface Executable {
  readonly program: string;
  readonly argv: readonly string[];
}

const NO_PROGRAM =
  'command: expected a command, as the image has neither Entrypoint nor Cmd, or a shell command is wanted without a value';

/** The program of the image, if the command names none; undefined: that of the command. */
export function executableOf(
  { shell, value, arguments: given = [] }: ContainerSpec['command'],
  { entrypoint, cmd }: Pick<ImageConfig, 'entrypoint' | 'cmd'>,
): Result<Executable | undefined, string> {
  if (value !== undefined && value !== '') return ok(undefined);
  const [program = cmd[0]] = entrypoint;
  if ((shell ?? true) || program === undefined || program === '') return err(NO_PROGRAM);
  const first = entrypoint.length > 0 ? entrypoint : cmd.slice(0, 1);
  const rest = given.length > 0 ? given : entrypoint.length > 0 ? cmd : cmd.slice(1);
  return ok({ program, argv: [...first, ...rest] });
}

/** Variables by which a process finds its agent, which an image must not change. */
const OF_AGENT = /^(?:MESOS|LIBPROCESS)_/;

/** The environment of a container: what the image sets replaces what the agent sets, and not what the command sets. */
export function environmentOf(
  { environment, command }: Pick<ContainerSpec, 'environment' | 'command'>,
  { env }: Pick<ImageConfig, 'env'>,
): ContainerSpec['environment'] {
  const own = new Set((command.environment?.variables ?? []).map(({ name }) => name));
  const ofImage = env.flatMap((variable): [string, string][] => {
    const equals = variable.indexOf('=');
    const name = variable.slice(0, equals);
    if (equals < 1 || variable.includes('\0') || OF_AGENT.test(name) || own.has(name)) return [];
    return [[name, variable.slice(equals + 1)]];
  });
  return { ...environment, ...Object.fromEntries(ofImage) };
}

/** The working directory in the container's root: that of the image, else the sandbox. */
export function workingDirectoryOf(
  { workingDir }: Pick<ImageConfig, 'workingDir'>,
  sandbox: string,
): Result<string, string> {
  if (workingDir === undefined) return ok(sandbox);
  if (workingDir.includes('\0') || workingDir.length > 4095) return err('the image has a WorkingDir that is no path');
  return ok(workingDir.startsWith('/') ? workingDir : `/${workingDir}`);
}
