// The supervisor of machines without perl: a resident shell forks a subshell for each container, which waits for the
// container's first process in a subshell of its own; that one becomes the command by way of setsid, the tools that set
// limits and user, and last a shell that is the task's user's already and reads the environment from its input (PLAN-4).
//
// A supervisor is a fork of the resident shell, so most of its memory is shared. Its stderr is the container's file `record`
// (exit-record.ts reads it):
//   first STAT    the line of /proc/self/stat of the container's first process; its parent there is the supervisor
//   ...           what the shell says when a signal ends its child
//   ended CODE    `$?` of the first process, last of all
// and into the fifo `events` it writes `started ID PID SUPERVISOR`, `exited ID CODE`, `failed ID`. The fifo is held open
// for both ways, so nobody waits for a reader; the files are the truth, the lines only tell when to look.
//
// No link is followed on the way to a task's output (SUPERVISOR-2): a sandbox that the user of a parent can replace is
// compared with the one that the agent has looked at; another user's stdout and stderr are opened by that user's shell.
import { err, ok, type Result } from '@meseta/base';
import type { CommandPlan, LaunchOwner, LaunchPlan, LaunchTools, PlanDirectory } from '../plan/plan.js';
import { isNested } from '../sandbox/sandbox.js';
import { shellWord, shellWords } from './shell-quote.js';
import type { Becoming, Supervision } from './spawner.js';

const script = `
exec 4<>events || exit 1
launch() {
  (
    read -r first </proc/self/stat || exit 126
    echo "first $first" >&2
    id=$1
    set -- $first
    echo "started $id $1 $4" >&4
    exec 4>&-
    . "./$id.plan"
  )
  code=$?
  echo "ended $code" >&2
  echo "exited $1 $code" >&4
  return 0
}
while read -r id; do
  case $id in
  '') jobs >/dev/null ;;
  *) { [ -e "$id.plan" ] && launch "$id" 2>>"$id.record" || echo "failed $id" >&4; } & ;;
  esac
done
wait
`;

function ownerArgv(owner: LaunchOwner | undefined, tools: LaunchTools): Result<readonly string[], string> {
  if (owner === undefined) return ok([]);
  if (tools.setpriv !== undefined) {
    return ok([tools.setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups', '--']);
  }
  if (tools.su !== undefined) return ok([tools.su, '-s', tools.shell, owner.name, '-c', 'exec "$@"', 'sh']);
  return err(`user "${owner.name}": neither setpriv nor su is on this machine`);
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** As words that a shell executes: where a program's own name differs from its last part, a tool must set it. */
function wordsOf({ program: value, argv }: CommandPlan, tools: LaunchTools): Result<readonly string[], string> {
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

const isShellName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

/** Read as a whole before any of it is done: the input is the command's from then on. `streams`: those it redirects. */
function innerScript(plan: CommandPlan, tools: LaunchTools, streams: string): Result<string, string> {
  const words = wordsOf(plan, tools);
  if (!words.ok) return words;
  const variables = Object.entries(plan.environment);
  const odd = variables.find(([name]) => !isShellName(name));
  if (odd !== undefined) {
    return err(`environment: the name "${odd[0]}" needs perl with its POSIX module, which this machine doesn't have`);
  }
  const exports = variables.map(([name, value]) => `export ${name}=${shellWord(value)}`);
  // Shells export some of their own.
  return ok(
    `{ ${[`exec ${streams}`, 'unset PWD OLDPWD SHLVL', ...exports, `exec ${shellWords(words.value)}`].join('; ')}; }\n`,
  );
}

/** What becomes the command when it reads `innerScript`; none of it is secret. */
function outerArgv(plan: CommandPlan, tools: LaunchTools): Result<readonly string[], string> {
  const switching = ownerArgv(plan.owner, tools);
  if (!switching.ok) return switching;
  const reset = tools.envResetsSignals ? ['--default-signal=INT,QUIT'] : [];
  return ok([...plan.rlimits, ...switching.value, tools.env, '-i', ...reset, '--', tools.shell, '-s']);
}

/** No line of `text`. */
function delimiterFor(text: string): string {
  const lines = new Set(text.split('\n'));
  let delimiter = 'END';
  while (lines.has(delimiter)) delimiter += '_';
  return delimiter;
}

const OUTPUT = '>>stdout 2>>stderr';

/** SUPERVISOR-2. In a sandbox that is not nested nobody but its user can change anything, and nobody its path. */
function enterLines({ path, identity }: PlanDirectory): readonly string[] {
  const same = `[ "$(stat -c %d:%i .)" = ${shellWord(identity)} ] || exit 126`;
  return [`cd ${shellWord(path)} || exit 126`, ...(isNested(path) ? [same] : [])];
}

/** The agent's own user opens only regular files. */
const outputLines = [
  'for stream in stdout stderr; do',
  '  if [ -L "$stream" ] || { [ -e "$stream" ] && [ ! -f "$stream" ]; }; then exit 126; fi',
  'done',
  `exec </dev/null ${OUTPUT}`,
];

/** PLAN-1: nothing of the task's is evaluated by the agent's user; every value of it is one quoted word. */
function planText(plan: LaunchPlan, tools: LaunchTools): Result<string, string> {
  const opensAsUser = plan.owner !== undefined;
  const inner = innerScript(plan, tools, opensAsUser ? `</dev/null ${OUTPUT}` : '</dev/null');
  const outer = outerArgv(plan, tools);
  if (!inner.ok || !outer.ok) return inner.ok ? (outer as Result<never, string>) : inner;
  const session = tools.setsid === undefined ? [] : [tools.setsid];
  const delimiter = delimiterFor(inner.value);
  return ok(
    [
      ...enterLines(plan.directory),
      ...(opensAsUser ? ['exec </dev/null >/dev/null 2>&1'] : outputLines),
      `exec ${shellWords([...session, ...outer.value])} <<'${delimiter}'`,
      `${inner.value}${delimiter}`,
      '',
    ].join('\n'),
  );
}

function becoming(plan: CommandPlan, tools: LaunchTools): Result<Becoming, string> {
  const input = innerScript(plan, tools, '</dev/null');
  const outer = outerArgv(plan, tools);
  if (!input.ok || !outer.ok) return input.ok ? (outer as Result<never, string>) : input;
  const [program = '', ...rest] = outer.value;
  return ok({ program, arguments: rest, input: input.value });
}

export const shellSupervision = (tools: LaunchTools): Supervision => ({
  program: tools.shell,
  arguments: ['-c', script, 'meseta-spawner'],
  planText: (plan) => planText(plan, tools),
  becoming: (plan) => becoming(plan, tools),
  needsReaping: true,
});
