// Keeps a child from holding this process up while it becomes its program (CALLS-2). This process' main thread waits for that
// in the kernel, so a thread of its own continues a child that was stopped, and kills one that takes too long.
//
// Owns: the thread, which ends with the process, and the numbers that both threads share.
// WATCHDOG-1: a signal is sent only while the main thread waits for the child, so to no process that reuses its pid: each
//   thread takes the state from `waiting` before it goes on.
import { Worker } from 'node:worker_threads';
import * as libc from './libc.js';

/** Indices of the shared numbers. The kernel writes the pid, before the child runs (CLONE_PARENT_SETTID). */
const STATE = 0;
const PID = 1;
/** Counts the children. */
const NUMBER = 2;
const IS_KILLED = 3;
const NUMBERS = 4;

/** No child is waited for. */
const IDLE = 0;
/** The main thread waits for a child. */
const WAITING = 1;
/** The other thread sends a signal. */
const SIGNALLING = 2;

/** The time for all calls of a child. Some open files, which a slow disk may delay. */
export const START_TIMEOUT_MS = 3000;
/** The pause between two signals that continue a stopped child. */
const CONTINUE_INTERVAL_MS = 20;

/** The thread's program. It runs without this process' modules. */
const PROGRAM = `
  const numbers = new Int32Array(require('node:worker_threads').workerData);
  const send = (signal) => {
    if (Atomics.compareExchange(numbers, ${STATE}, ${WAITING}, ${SIGNALLING}) !== ${WAITING}) return;
    const pid = numbers[${PID}];
    if (signal === 'SIGKILL' && pid > 0) numbers[${IS_KILLED}] = 1;
    try {
      if (pid > 0) process.kill(pid, signal);
    } catch {}
    Atomics.store(numbers, ${STATE}, ${WAITING});
    Atomics.notify(numbers, ${STATE});
  };
  for (;;) {
    Atomics.wait(numbers, ${STATE}, ${IDLE});
    const number = Atomics.load(numbers, ${NUMBER});
    const startMs = performance.now();
    for (;;) {
      Atomics.wait(numbers, ${NUMBER}, number, ${CONTINUE_INTERVAL_MS});
      const isWaiting = Atomics.load(numbers, ${STATE}) !== ${IDLE};
      if (!isWaiting || Atomics.load(numbers, ${NUMBER}) !== number) break;
      send(performance.now() - startMs > ${START_TIMEOUT_MS} ? 'SIGKILL' : 'SIGCONT');
    }
  }`;

export interface ChildWatchdog {
  /** Where the kernel writes the pid of a new child. */
  readonly pidAddress: bigint;
  /** Runs `start`, which returns when the child is a program or has ended. Returns its result, and whether the child was killed. */
  guard<T>(start: () => T): { readonly value: T; readonly wasKilled: boolean };
}

export function createChildWatchdog(): ChildWatchdog {
  const numbers = new Int32Array(new SharedArrayBuffer(NUMBERS * Int32Array.BYTES_PER_ELEMENT));
  const options = { eval: true, workerData: numbers.buffer, env: {}, execArgv: [], stdin: false };
  new Worker(PROGRAM, options).unref();
  return {
    pidAddress: libc.addressOf(numbers) + BigInt(PID * Int32Array.BYTES_PER_ELEMENT),
    guard(start) {
      numbers[PID] = 0;
      numbers[IS_KILLED] = 0;
      Atomics.add(numbers, NUMBER, 1);
      Atomics.store(numbers, STATE, WAITING);
      Atomics.notify(numbers, STATE);
      const value = start();
      while (Atomics.compareExchange(numbers, STATE, WAITING, IDLE) !== WAITING)
        Atomics.wait(numbers, STATE, SIGNALLING);
      return { value, wasKilled: numbers[IS_KILLED] === 1 };
    },
  };
}
