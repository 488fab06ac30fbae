// The supervisor of machines without perl: a resident shell forks a subshell for each container, which waits for the
// container's first process in a subshell of its own; that one becomes the command by way of setsid and env.
//
// A supervisor is a fork of the resident shell, so most of its memory is shared. Its stderr is the container's file `record`
// (exit-record.ts reads it):
//   first STAT    the line of /proc/self/stat of the container's first process; its parent there is the supervisor
//   ...           what the shell says when a signal ends its child
//   ended CODE    `$?` of the first process, last of all
// and into the fifo `events` it writes `started ID PID SUPERVISOR`, `exited ID CODE`, `failed ID`. The fifo is held open
// for both ways, so nobody waits for a reader; the files are the truth, the lines only tell when to look.
import type { LaunchPlan } from './plan.js';
import { shellWord, shellWords } from './shell-quote.js';
import type { Supervision } from './spawner.js';

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

/** It evaluates nothing of the task's: every value in it is one quoted word. The environment is in the argv (env). */
function planText({ directory, argv }: LaunchPlan): string {
  const at = (name: string): string => shellWord(`${directory}/${name}`);
  return [
    `exec </dev/null >>${at('stdout')} 2>>${at('stderr')}`,
    `cd ${shellWord(directory)} || exit 126`,
    `exec ${shellWords(argv)}`,
    '',
  ].join('\n');
}

export const shellSupervision = (shell: string): Supervision => ({
  program: shell,
  arguments: ['-c', script, 'meseta-spawner'],
  planText,
  needsReaping: true,
});
