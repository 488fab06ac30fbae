// The seccomp profiles of an agent: files in `--seccomp_config_dir`, which containers name, and that of
// `--seccomp_profile_name` for those that name none. As in Mesos a file is read at each launch, and the default one when the
// agent starts.
//
// Owns: the programs that were compiled last.
// PROFILES-1: no name leads out of the directory but by a link that the operator has made there.
import { createHash } from 'node:crypto';
import { checkPathBelow, err, type Files, LIMITS, ok, type Result, type SeccompCompiler } from '@meseta/base';
import { filterFor, type ProfileHost, parseProfile, type SeccompProfile } from './profile.js';

export interface SeccompOptions {
  /** `--seccomp_config_dir` */
  readonly configDir: string | undefined;
  /** `--seccomp_profile_name`, relative to the directory. */
  readonly profileName: string | undefined;
  /** Or why this machine has none. */
  readonly compiler: Result<SeccompCompiler, string>;
}

export interface SeccompProfiles {
  /** The program for a container with this bounding set, in base64. `name`: undefined: that of the operator, if there is one. */
  programFor(name: string | undefined, bounding: readonly number[]): Promise<Result<string | undefined, string>>;
}

/** Compiling takes milliseconds, in which the agent does nothing else. */
const MAX_PROGRAMS = 100;

interface Source {
  readonly files: Files;
  readonly directory: string;
  readonly compiler: SeccompCompiler;
  readonly host: ProfileHost;
  /** By the digest of the profile, and the bounding set. */
  readonly programs: Map<string, string>;
}

interface Read {
  readonly digest: string;
  readonly profile: SeccompProfile;
}

/** PROFILES-1. */
async function read({ files, directory, host }: Source, name: string): Promise<Result<Read, string>> {
  if (name === '' || name.startsWith('/') || checkPathBelow('', name) !== undefined) {
    return err(`expected a relative path in --seccomp_config_dir (${directory})`);
  }
  const path = await files.realPath(`${directory}/${name}`);
  if (!path.ok) return err(path.error.message);
  const stat = await files.stat(path.value);
  if (!stat.ok) return err(stat.error.message);
  if (stat.value.kind !== 'file') return err(`${path.value} is no file`);
  const { most } = LIMITS.seccompProfile;
  if (stat.value.sizeBytes > most) return err(`${path.value}: expected at most ${most} bytes`);
  const text = await files.readText(path.value);
  if (!text.ok) return err(text.error.message);
  const profile = parseProfile(text.value, host);
  if (!profile.ok) return err(`${path.value}: ${profile.error}`);
  return ok({ digest: createHash('sha256').update(text.value).digest('hex'), profile: profile.value });
}

function compile(
  { compiler, programs }: Source,
  { digest, profile }: Read,
  bounding: readonly number[],
): Result<string, string> {
  const key = [digest, ...bounding.toSorted((a, b) => a - b)].join();
  const known = programs.get(key);
  if (known !== undefined) return ok(known);
  const compiled = compiler.compile(filterFor(profile, bounding));
  if (!compiled.ok) return compiled;
  const program = Buffer.from(compiled.value).toString('base64');
  const [oldest] = programs.keys();
  if (programs.size >= MAX_PROGRAMS && oldest !== undefined) programs.delete(oldest);
  programs.set(key, program);
  return ok(program);
}

const inProfile = (name: string, problem: string): string =>
  `seccomp profile ${JSON.stringify(name.slice(0, 200))}: ${problem}`;

/** Why this machine or the flags don't allow profiles, or the profiles. */
export async function openSeccompProfiles(
  { configDir, profileName, compiler }: SeccompOptions,
  files: Files,
): Promise<Result<SeccompProfiles, string>> {
  if (!compiler.ok) return compiler;
  if (configDir === undefined) return err('expected --seccomp_config_dir, the directory of the profiles');
  const release = files.readTextNow('/proc/sys/kernel/osrelease') ?? '';
  const host = { architecture: compiler.value.architecture, release };
  const source: Source = { files, directory: configDir, compiler: compiler.value, host, programs: new Map() };
  const byDefault = profileName === undefined ? undefined : await read(source, profileName);
  if (byDefault?.ok === false) return err(`--seccomp_profile_name: ${byDefault.error}`);
  if (byDefault !== undefined) {
    // With all rules, whatever capabilities they are for.
    const all = compiler.value.compile(byDefault.value.profile);
    if (!all.ok) return err(`--seccomp_profile_name: ${profileName}: ${all.error}`);
  }
  return ok({
    async programFor(name, bounding) {
      const found = name === undefined ? byDefault : await read(source, name);
      if (found === undefined) return ok(undefined);
      const program = found.ok ? compile(source, found.value, bounding) : found;
      return program.ok ? program : err(inProfile(name ?? profileName ?? '', program.error));
    },
  });
}
