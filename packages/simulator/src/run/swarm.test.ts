// The swarm of every test run. `meseta sim --seed=N` shows a seed that fails here.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VARIATIONS } from '../variations/all.js';
import { renderFailure } from './report.js';
import type { Outcome } from './simulation.js';
import { runSwarm, serveSwarm } from './swarm.js';

const SEEDS = 220;

if (process.argv.includes('--simulate')) serveSwarm();
else {
  test(`${SEEDS} seeds: nothing breaks, and every kind of check was made`, async () => {
    const outcomes: Outcome[] = [];
    await runSwarm({
      seeds: Array.from({ length: SEEDS }, (_, i) => i + 1),
      workers: 2,
      startWorker: () =>
        fork(fileURLToPath(import.meta.url), ['--simulate'], { serialization: 'advanced', execArgv: [] }),
      outcome: (outcome) => void outcomes.push(outcome),
    });
    const failures = outcomes.flatMap(({ seed, failure }) =>
      failure === undefined ? [] : [renderFailure(seed, {}, failure).join('\n')],
    );
    assert.deepEqual(failures, []);
    assert.equal(outcomes.length, SEEDS);
    assert(outcomes.every(({ virtualMs }) => virtualMs > 30 * 60_000));
    const counts = new Map<string, number>();
    for (const outcome of outcomes) {
      for (const [what, count] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    }
    for (const [what, atLeast] of MIN_COUNTS) {
      assert((counts.get(what) ?? 0) >= atLeast, `${what}: ${counts.get(what)}, expected at least ${atLeast}`);
    }
  });
}

/** Minimum counts, far below those of the seeds: a check that is never made proves nothing. */
const MIN_COUNTS: readonly (readonly [what: string, atLeast: number])[] = [
  ['resource accounting checked', 10_000],
  ['allocations audited', 10_000],
  ['offers checked', 10_000],
  ['offers checked against a limit', 1_000],
  ['offers checked against guarantees of others', 1_000],
  ['reservations offered to a descendant', 100],
  ['guarantees met', 10],
  ['updates sent by agents', 5_000],
  ['updates received by schedulers', 5_000],
  ['updates checked for delivery', 5_000],
  ['acknowledgements accepted', 5_000],
  ['acknowledged updates that were resent', 200],
  ['task states checked', 1_000],
  ['running tasks checked', 50],
  ['tasks back from unreachable', 50],
  ['kills checked at a re-registration', 5],
  ['agents marked unreachable', 20],
  ["drivers' calls", 2_000],
  ['tasks reconciled', 2_000],
  ['subscriptions of executors', 500],
  ['updates of executors', 500],
  ['pods launched', 100],
  ['executor messages received', 200],
  ['registry operations', 1_000],
  ['registry writes checked for their term', 1_000],
  ['launches checked for their master', 5_000],
  ['failed registry writes', 10],
  ['launches checked for their term', 5_000],
  ['launches of deposed leaders', 4],
  ['stale reads of the election', 10],
  ['wishes of operators checked', 200],
  ['removals of frameworks checked', 5],
  ['registry writes lost in a crash', 10],
  ['scheduler calls', 20_000],
  ['calls on outdated streams', 500],
  ['calls repeated', 500],
  ['connections broken', 300],
  ['connections that went silent', 300],
  ['connections timed out unacknowledged', 50],
  ['packets stalled', 500],
  ['packets held back by a cut', 200],
  ['packets lost with their connection', 200],
  ['unsynced writes lost in a crash', 10],
  ['launches checked against the disk', 500],
  ['operation statuses sent', 500],
  ['crashes between steps of containers', 10],
  ['answers to operators: 200', 100],
  ['authorizations refused', 50],
  ["operators' calls refused", 1],
  ['agents pruned', 1],
  ['rate-limited removals', 3],
  ['sandboxes removed', 50],
  ['runs with messages as bytes', 11],
  ...[
    ...['killAgent', 'powerOffAgent', 'resizeAgent', 'pauseAgent', 'skewAgent', 'slowDisk', 'leave', 'break'],
    ...['killMaster', 'powerOffMaster', 'pauseMaster', 'skewMaster', 'slowRegistry', 'cut one way', 'cut both ways'],
    ...['lostAnswer', 'expiredSession', 'staleLeader', 'staleReads', 'splitLeadership', 'pauseLeader'],
    ...['coordinationOutage'],
    ...['fullDisk', 'refuse', 'crashAtStep'],
  ].map((fault) => [`fault: ${fault}`, 10] as const),
  ...VARIATIONS.map(({ name }) => [`variation: ${name}`, 10] as const),
  ...[
    'drain',
    'deactivate',
    'reactivate',
    'markGone',
    'quota',
    'weight',
    'weights',
    'maintain',
    'takeDown',
    'teardown',
  ].map((action) => [`fault: operator ${action}`, 5] as const),
];
