// The supervisor on machines without perl: a resident shell forks a subshell, the supervisor, for each container. It forks
// the container's first process and waits for it. The first process becomes the command by way of setsid, the tools that set
// limits and user, and a shell that runs as the task's user and reads the environment from its input (PLAN-4).
//
// A supervisor shares most of its memory with the resident shell. Its stderr is the container's file `record`
// (exit-record.ts reads it):
//   first STAT    the line of /proc/self/stat of the container's first process; its parent there is the supervisor
//   ...           the shell's message when a signal ends its child
//   ended CODE    `$?` of the first process, the last line
// and it writes lines into the fifo `events`: `started ID PID SUPERVISOR`, `exited ID CODE`, `failed ID`. The fifo is open
// for reading and writing, so no write waits for a reader. The records are authoritative; a line only says when to read them.
//
// No link is followed on the way to a task's output (SUPERVISOR-2): a sandbox that the user of a parent can replace is
// compared with the one that the agent has opened, and the stdout and stderr of another user are opened by that user's shell.
import { err, ok, type Result } from '@meseta/base';
import type { CommandPlan, LaunchOwner, LaunchPlan, LaunchTools, PlanDirectory } from '../plan/plan.js';
import { isNested } from '../sandbox/sandbox.js';
import { shellWord, shellWords } from './shell-quote.js';
import type { SingleProcess, Supervision } from './spawner.js';

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

/** The words that a shell executes. A program's own name that is not the last part of its path needs a tool to set it. */
function commandWords({ program: value, argv }: CommandPlan, tools: LaunchTools): Result<readonly string[], string> {
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

/** One compound command, so the shell reads all of it before it replaces its input. `streams`: its redirections. */
function innerScript(plan: CommandPlan, tools: LaunchTools, streams: string): Result<string, string> {
  const words = commandWords(plan, tools);
  if (!words.ok) return words;
  const variables = Object.entries(plan.environment);
  const invalid = variables.find(([name]) => !isShellName(name));
  if (invalid !== undefined) {
    return err(
      `environment: the name "${invalid[0]}" needs perl with its POSIX module, which this machine doesn't have`,
    );
  }
  const exports = variables.map(([name, value]) => `export ${name}=${shellWord(value)}`);
  // Shells export some variables by themselves.
  return ok(
    `{ ${[`exec ${streams}`, 'unset PWD OLDPWD SHLVL', ...exports, `exec ${shellWords(words.value)}`].join('; ')}; }\n`,
  );
}

/** The program that reads `innerScript` and becomes the command. It contains no secret. */
function outerArgv(plan: CommandPlan, tools: LaunchTools): Result<readonly string[], string> {
  const switching = ownerArgv(plan.owner, tools);
  if (!switching.ok) return switching;
  const reset = tools.envResetsSignals ? ['--default-signal=INT,QUIT'] : [];
  return ok([...plan.rlimits, ...switching.value, tools.env, '-i', ...reset, '--', tools.shell, '-s']);
}

/** A line that `text` does not have. */
function delimiterFor(text: string): string {
  const lines = new Set(text.split('\n'));
  let delimiter = 'END';
  while (lines.has(delimiter)) delimiter += '_';
  return delimiter;
}

const OUTPUT = '>>stdout 2>>stderr';

/** SUPERVISOR-2. Only the agent can replace a sandbox that is not nested. */
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

/** PLAN-1: the agent's user evaluates no value of the task: each is one quoted word. */
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

function singleProcess(plan: CommandPlan, tools: LaunchTools): Result<SingleProcess, string> {
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
  singleProcess: (plan) => singleProcess(plan, tools),
  needsReaping: true,
});
