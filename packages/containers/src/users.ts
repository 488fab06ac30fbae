// Finds the users that containers run as.
//
// Owns: the users that were found lately, and the running lookups.
// USERS-1: a user is a name, as in Mesos, and its uid maps back to that name: access control lists compare names, so numbers
//   and second names of a uid are refused.
// USERS-2: a lookup is valid for a limited time: a user that was removed, or whose uid or groups changed, loses its rights.
import { err, ok, type Processes, type Result } from '@meseta/base';
import type { LaunchOwner } from './plan/plan.js';

const TOOL_TIMEOUT_MS = 10_000;
const LOOKUP_VALID_MS = 600_000;

/** Tools read numbers as uids, and arguments that begin with `-`, `+` or `~` as options. */
const isUserName = (name: string): boolean =>
  /^(?![-+~])(?!\d+$)[^\p{Cc}:/]{1,256}$/u.test(name) && name.trim() === name;

/**
 * Returns a function that finds users with `id`, which asks every source of users that the machine has. Lookups of the same
 * user at the same time share one.
 */
export function createUserLookup(
  processes: Processes,
  nowMs: () => number = () => performance.now(),
): (name: string) => Promise<Result<LaunchOwner, string>> {
  const lookups = new Map<
    string,
    { readonly found: Promise<Result<LaunchOwner, string>>; readonly validUntilMs: number }
  >();
  return (name) => {
    const known = lookups.get(name);
    if (known !== undefined && nowMs() < known.validUntilMs) return known.found;
    const lookup = { found: findUser(processes, name), validUntilMs: nowMs() + LOOKUP_VALID_MS };
    lookups.set(name, lookup);
    void lookup.found.then(({ ok: exists }) => {
      if (!exists && lookups.get(name) === lookup) lookups.delete(name);
    });
    return lookup.found;
  };
}

/** Returns a function that finds the user that a container runs as; undefined is the agent's own. */
export function createOwnerLookup(
  processes: Processes,
): (user: string | undefined) => Promise<Result<LaunchOwner | undefined, string>> {
  const lookUp = createUserLookup(processes);
  return async (user) => {
    if (user === undefined) return ok(undefined);
    const owner = await lookUp(user);
    const ownUid = processes.self.uid;
    if (!owner.ok || owner.value.uid === ownUid) return owner.ok ? ok(undefined) : owner;
    if (ownUid !== 0) return err(`user "${user}": the agent doesn't run as root and can't switch to another user`);
    return owner;
  };
}

async function findUser(processes: Processes, name: string): Promise<Result<LaunchOwner, string>> {
  if (!isUserName(name)) return err(`user ${JSON.stringify(name)}: expected the name of a user on this machine`);
  const numbersOf = async (option: string): Promise<readonly number[]> => {
    const text = (await outputOf(processes, 'id', option, '--', name)) ?? '';
    return /^\d+( \d+)*$/.test(text) ? text.split(' ').map(Number) : [];
  };
  const [[uid], [gid], groups] = await Promise.all([numbersOf('-u'), numbersOf('-g'), numbersOf('-G')]);
  if (uid === undefined || gid === undefined) return err(`user "${name}": no such user on this machine`);
  const nameOfUid = await findName(processes, uid);
  if (nameOfUid !== name) {
    const actual = nameOfUid === undefined ? 'no user' : `"${nameOfUid}"`;
    return err(`user "${name}": its uid ${uid} is that of ${actual}`);
  }
  return ok({ name, uid, gid, groups: groups.length === 0 ? [gid] : groups });
}

/** busybox's `id` takes no numbers. */
const findName = async (processes: Processes, uid: number): Promise<string | undefined> =>
  (await outputOf(processes, 'id', '-un', '--', String(uid))) ??
  (await outputOf(processes, 'getent', 'passwd', String(uid)))?.replace(/:.*/s, '');

async function outputOf(processes: Processes, program: string, ...args: string[]): Promise<string | undefined> {
  const run = await processes.run({ program, arguments: args }, { timeoutMs: TOOL_TIMEOUT_MS });
  return run.ok && run.value.end.kind === 'exited' && run.value.end.code === 0 ? run.value.stdout.trim() : undefined;
}
