// The resident spawner: a shell in a session of its own that forks a supervisor for each container id it reads.
// It never reads code: what a container runs is the file `plan` in its directory. It outlives the agent (its input
// ends, it waits for its supervisors and reaps them), and it is replaced every few hundred launches, as its job
// table slows it.
//
// A supervisor is a fork of the spawner, so most of its memory is shared. Its stderr is the file `record` in the
// container's directory (record.ts reads it):
//   first STAT    the line of /proc/self/stat of the container's first process; its parent there is the supervisor
//   ...           what the shell says when a signal ends its child
//   ended CODE    `$?` of the first process, last of all
// and into the fifo `events` it writes `started ID PID SUPERVISOR`, `exited ID CODE`, `failed ID`. The fifo is held open for both
// ways, so nobody waits for a reader; the files are the truth, the lines only tell when to look.
import type { Processes, RunningProcess } from '@meseta/base';

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
    . "./$id/plan"
  )
  code=$?
  echo "ended $code" >&2
  echo "exited $1 $code" >&4
  return 0
}
while read -r id; do
  case $id in
  '') jobs >/dev/null ;;
  *) { launch "$id" 2>>"$id/record" || echo "failed $id" >&4; } & ;;
  esac
done
wait
`;

const launchesEach = 400;

export interface Spawner {
  /** The container's directory and plan are there. */
  launch(containerId: string): void;
  /** Some supervisors have ended: collects them. */
  reap(): void;
  /** Ends the input: the spawner ends with the last of its supervisors. */
  close(): void;
}

interface Shell {
  launched: number;
  lines: string;
  running: RunningProcess | undefined;
  closed: boolean;
}

/**
 * @param directory holds the containers' directories and the fifo `events`.
 * @param sessions is told the sessions of living spawners. A spawner that ends early may have launched some of its
 *   last ids or not: the containers' files tell (watchSupervisors), and the next launch starts another.
 */
export function createSpawner(processes: Processes, directory: string, shell: string, sessions: Set<number>): Spawner {
  let current: Shell | undefined;

  function start(): Shell {
    const it: Shell = { launched: 0, lines: '', running: undefined, closed: false };
    const request = { program: shell, arguments: ['-c', script, 'meseta-spawner'], environment: {}, directory };
    void processes.startResident(request).then((started) => {
      if (!started.ok) {
        if (current === it) current = undefined;
        return;
      }
      it.running = started.value;
      sessions.add(started.value.pid);
      if (it.lines !== '') started.value.write(it.lines);
      if (it.closed) started.value.endInput();
      void started.value.ended.then(() => {
        if (current === it) current = undefined;
        if (it.closed) sessions.delete(started.value.pid);
      });
    });
    return it;
  }

  const send = (it: Shell, line: string): void => {
    if (it.running) it.running.write(line);
    else it.lines += line;
  };

  const finish = (it: Shell): void => {
    it.closed = true;
    it.running?.endInput();
  };

  return {
    launch(containerId) {
      if (current !== undefined && current.launched >= launchesEach) {
        finish(current);
        current = undefined;
      }
      current ??= start();
      current.launched++;
      send(current, `${containerId}\n`);
    },
    reap() {
      if (current !== undefined) send(current, '\n');
    },
    close() {
      if (current !== undefined) finish(current);
      current = undefined;
    },
  };
}
