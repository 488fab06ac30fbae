// linux/seccomp: filters the system calls of a container's processes by the profile that the task or the operator names
// (Mesos: docs/isolators/linux-seccomp.md). Health checks and sessions have the filter of their container.
// LINUX-SECCOMP-1: a profile that can't be used fails the launch: no container runs without the filter that it should have.
import { err, ok, type Result } from '@meseta/base';
import type { SeccompProfiles } from '../seccomp/profiles.js';
import type { HostFacts, Isolator } from './isolator.js';
import { type CapabilityOptions, planCapabilities } from './linux-capabilities.js';

const FIELD = 'container.linux_info.seccomp';

/** `profiles`: or why there are none. `capabilities`: the options of linux/capabilities; undefined: it was not chosen. */
export function createLinuxSeccomp(
  profiles: Result<SeccompProfiles, string>,
  capabilities: CapabilityOptions | undefined,
): Isolator {
  return {
    name: 'linux/seccomp',
    provides: 'seccomp',
    supports: () => (profiles.ok ? ok(undefined) : profiles),
    plan({ container, isSession, outer }) {
      const info = container?.linux_info?.seccomp;
      if (info === undefined) return ok({});
      if (isSession === true && outer?.pod === undefined)
        return err(`${FIELD}: a session has the filter of its container`);
      if (info.unconfined === true && info.profile_name !== undefined) {
        return err(`${FIELD}: profile_name and unconfined exclude each other`);
      }
      if (info.unconfined !== true && info.profile_name === undefined) {
        return err(`${FIELD}.profile_name: expected the name of a profile, or unconfined`);
      }
      return ok({});
    },
    async prepare({ container }, { host }) {
      if (!profiles.ok) return profiles;
      const linux = container?.linux_info ?? {};
      if (linux.seccomp?.unconfined === true) return ok({});
      const program = await profiles.value.programFor(
        linux.seccomp?.profile_name,
        boundingOf(linux, capabilities, host),
      );
      if (!program.ok) return program;
      return ok(program.value === undefined ? {} : { linux: { seccomp: program.value } });
    },
  };
}

/** What the rules of a profile depend on. */
function boundingOf(
  linux: Parameters<typeof planCapabilities>[0],
  options: CapabilityOptions | undefined,
  { capabilities, bounding }: HostFacts,
): readonly number[] {
  const planned = options === undefined ? undefined : planCapabilities(linux, options, capabilities);
  return planned?.ok === true ? (planned.value?.bounding ?? bounding) : bounding;
}
