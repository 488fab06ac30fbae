// The exit status of a command task, parsed from the message of its last status: Mesos' command executor writes "Command
// exited with status 3" or "Command terminated with signal Killed" (strsignal(3)); for a pod task it is "signal SIGKILL".
import { constants } from 'node:os';
import { EXIT } from '../command.js';

/** glibc's names of the signals that usually end programs. */
const SIGNAL_TEXTS: Readonly<Record<string, keyof typeof constants.signals>> = {
  Hangup: 'SIGHUP',
  Interrupt: 'SIGINT',
  Quit: 'SIGQUIT',
  'Illegal instruction': 'SIGILL',
  'Trace/breakpoint trap': 'SIGTRAP',
  Aborted: 'SIGABRT',
  'Bus error': 'SIGBUS',
  'Floating point exception': 'SIGFPE',
  Killed: 'SIGKILL',
  'User defined signal 1': 'SIGUSR1',
  'Segmentation fault': 'SIGSEGV',
  'User defined signal 2': 'SIGUSR2',
  'Broken pipe': 'SIGPIPE',
  'Alarm clock': 'SIGALRM',
  Terminated: 'SIGTERM',
  'CPU time limit exceeded': 'SIGXCPU',
  'File size limit exceeded': 'SIGXFSZ',
  'Bad system call': 'SIGSYS',
};

/** The status, or 128 + the signal's number as in a shell; 1 if the message has neither. */
export function exitCodeOf(message: string): number {
  const exited = /exited with status (\d+)/.exec(message)?.[1];
  if (exited !== undefined) return Number(exited);
  const ended = /terminated with signal ([^()]+?)(?: \(core dumped\))?$/.exec(message.trim())?.[1];
  if (ended === undefined) return EXIT.failed;
  const name = SIGNAL_TEXTS[ended] ?? ended;
  const number =
    (constants.signals as Readonly<Record<string, number>>)[name] ?? Number(/\d+/.exec(ended)?.[0] ?? Number.NaN);
  return Number.isNaN(number) ? EXIT.failed : 128 + number;
}
