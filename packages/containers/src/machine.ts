// What this machine offers to launches, looked up once: tools, limits, users.
import { err, type Files, ok, type Processes, type Result } from '@meseta/base';
import type { LaunchLimits, LaunchOwner, LaunchTools } from './plan/plan.js';
import { parseLimits } from './plan/rlimits.js';

const directories = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const capSysResource = 24;
const toolTimeoutMs = 10_000;

async function findTool(files: Files, name: string): Promise<string | undefined> {
  for (const directory of directories) {
    const real = await files.realPath(`${directory}/${name}`);
    if (real.ok) return `${directory}/${name}`;
  }
  return undefined;
}

/** The tools of launches, or which indispensable one is missing. */
export async function findTools(files: Files, processes: Processes): Promise<Result<LaunchTools, string>> {
  const [shell, setsid, env, setpriv, su, prlimit, bash, perl] = await Promise.all(
    ['sh', 'setsid', 'env', 'setpriv', 'su', 'prlimit', 'bash', 'perl'].map((name) => findTool(files, name)),
  );
  if (shell === undefined || env === undefined) return missing({ sh: shell, env });
  const understands = async (program: string, ...args: string[]): Promise<boolean> => {
    const run = await processes.run({ program, arguments: args }, { timeoutMs: toolTimeoutMs });
    return run.ok && run.value.end.kind === 'exited' && run.value.end.code === 0;
  };
  const root = processes.self.uid === 0;
  const [envResetsSignals, switches, perlSupervises] = await Promise.all([
    understands(env, '--default-signal=INT,QUIT', '--', shell, '-c', ':'),
    root && setpriv !== undefined
      ? understands(setpriv, '--reuid=0', '--regid=0', '--init-groups', '--', shell, '-c', ':')
      : false,
    // Some distributions keep the module in a package of its own.
    perl !== undefined && understands(perl, '-MPOSIX=setsid', '-e', '1'),
  ]);
  if (!perlSupervises && setsid === undefined) return missing({ 'setsid or perl': setsid });
  const chosen = { setpriv: switches ? setpriv : undefined, perlSupervises };
  return ok({ shell, setsid, env, envResetsSignals, su, prlimit, bash, perl, ...chosen });
}

function missing(tools: Readonly<Record<string, string | undefined>>): Result<never, string> {
  const names = Object.keys(tools).filter((name) => tools[name] === undefined);
  return err(`containers need ${names.join(', ')} on this machine`);
}

export function readLimits(files: Files): LaunchLimits {
  const status = files.readTextNow('/proc/self/status') ?? '';
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return {
    current: parseLimits(files.readTextNow('/proc/self/limits') ?? ''),
    mayRaise: ((effective >> BigInt(capSysResource)) & 1n) === 1n,
  };
}

/** A user that was taken out of a group, or whose uid was given to another one, has lost it after so long. */
const USER_KEPT_MS = 600_000;

/** Programs take numbers, and words that begin like options, for what they are not. */
const isUserName = (name: string): boolean =>
  /^(?![-+~])(?!\d+$)[^\p{Cc}:/]{1,256}$/u.test(name) && name.trim() === name;

/**
 * Finds users with `id`, so that every source of users that the machine knows is asked; found ones are kept for a while, and
 * those who ask for the same one at the same time share a look. A user is a name, as for Mesos: numbers are refused, and a name
 * whose uid has another one, as who may run as that one is decided by name.
 */
export function createUsers(
  processes: Processes,
  nowMs: () => number = () => performance.now(),
): (name: string) => Promise<Result<LaunchOwner, string>> {
  const known = new Map<string, { readonly found: Promise<Result<LaunchOwner, string>>; readonly untilMs: number }>();
  const answerOf = async (program: string, ...args: string[]): Promise<string | undefined> => {
    const run = await processes.run({ program, arguments: args }, { timeoutMs: toolTimeoutMs });
    return run.ok && run.value.end.kind === 'exited' && run.value.end.code === 0 ? run.value.stdout.trim() : undefined;
  };
  const numbers = async (option: string, name: string): Promise<readonly number[]> => {
    const text = (await answerOf('id', option, '--', name)) ?? '';
    return /^\d+( \d+)*$/.test(text) ? text.split(' ').map(Number) : [];
  };
  // busybox's id takes no numbers.
  const nameOf = async (uid: number): Promise<string | undefined> =>
    (await answerOf('id', '-un', '--', String(uid))) ??
    (await answerOf('getent', 'passwd', String(uid)))?.replace(/:.*/s, '');
  const look = async (name: string): Promise<Result<LaunchOwner, string>> => {
    if (!isUserName(name)) return err(`user ${JSON.stringify(name)}: expected the name of a user on this machine`);
    const [[uid], [gid], groups] = await Promise.all([numbers('-u', name), numbers('-g', name), numbers('-G', name)]);
    if (uid === undefined || gid === undefined) return err(`user "${name}": no such user on this machine`);
    const own = await nameOf(uid);
    if (own !== name)
      return err(`user "${name}": its uid ${uid} is that of ${own === undefined ? 'no name' : `"${own}"`}`);
    return ok({ name, uid, gid, groups: groups.length === 0 ? [gid] : groups });
  };
  return (name) => {
    const kept = known.get(name);
    if (kept !== undefined && nowMs() < kept.untilMs) return kept.found;
    const fresh = { found: look(name), untilMs: nowMs() + USER_KEPT_MS };
    known.set(name, fresh);
    void fresh.found.then(({ ok: exists }) => {
      if (!exists && known.get(name) === fresh) known.delete(name);
    });
    return fresh.found;
  };
}
