// The port SeccompCompiler: filters of system calls by libseccomp, which knows the numbers of the calls on each architecture
// and writes the kernel's program. The library is not part of this program: the operator installs it.
//
// Boundary: a filter's sizes are limited by who has read it; the calls run on this thread.
import { closeSync, fstatSync, readSync } from 'node:fs';
import {
  err,
  MAX_SECCOMP_INSTRUCTIONS,
  ok,
  type Result,
  type SeccompAction,
  type SeccompComparison,
  type SeccompCompiler,
  type SeccompCondition,
  type SeccompFilter,
  type SeccompRule,
} from '@meseta/base';
import koffi from 'koffi';
import * as libc from './libc.js';

const LIBRARY = 'libseccomp.so.2';
const MISSING = `the library ${LIBRARY} is not installed: install Debian's or Ubuntu's package libseccomp2, or Fedora's libseccomp`;

const MFD_CLOEXEC = 1;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const INSTRUCTION_BYTES = 8;
/** struct scmp_arg_cmp: index, comparison, two numbers of 64 bits. */
const CONDITION_BYTES = 24;
const UNKNOWN_CALL = -1;

/** seccomp.h of libseccomp: the actions but for their error numbers, and the comparisons. */
const ACTIONS: { readonly [Kind in SeccompAction['kind']]: number } = {
  killThread: 0,
  killProcess: 0x80000000,
  trap: 0x00030000,
  fail: 0x00050000,
  trace: 0x7ff00000,
  log: 0x7ffc0000,
  allow: 0x7fff0000,
};
const COMPARISONS: { readonly [Name in SeccompComparison]: number } = {
  notEqual: 1,
  less: 2,
  lessOrEqual: 3,
  equal: 4,
  greaterOrEqual: 5,
  greater: 6,
  maskedEqual: 7,
};

const numberOf = (action: SeccompAction): number => ACTIONS[action.kind] + ('errno' in action ? action.errno : 0);

type Context = number | bigint;

function loadLibrary() {
  const library = koffi.load(LIBRARY);
  const define = <T extends (...values: never[]) => unknown>(declaration: string): T =>
    library.func(declaration) as unknown as T;
  return {
    init: define<(action: number) => Context>('uintptr_t seccomp_init(uint32_t action)'),
    release: define<(context: Context) => void>('void seccomp_release(uintptr_t context)'),
    architectureNamed: define<(name: string) => number>('uint32_t seccomp_arch_resolve_name(const char *name)'),
    addArchitecture: define<(context: Context, token: number) => number>(
      'int seccomp_arch_add(uintptr_t context, uint32_t token)',
    ),
    callNamed: define<(name: string) => number>('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: define<(context: Context, action: number, call: number, count: number, conditions: Uint8Array) => number>(
      'int seccomp_rule_add_array(uintptr_t context, uint32_t action, int call, unsigned int count, void *conditions)',
    ),
    exportProgram: define<(context: Context, file: number) => number>(
      'int seccomp_export_bpf(uintptr_t context, int file)',
    ),
  };
}

type Library = ReturnType<typeof loadLibrary>;

/** Names of architectures in libseccomp that processors of Node have. */
const NATIVE: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

function encodeConditions(conditions: readonly SeccompCondition[]): Uint8Array {
  const bytes = Buffer.alloc(CONDITION_BYTES * conditions.length);
  for (const [at, { index, comparison, value, second }] of conditions.entries()) {
    bytes.writeUInt32LE(index, at * CONDITION_BYTES);
    bytes.writeUInt32LE(COMPARISONS[comparison], at * CONDITION_BYTES + 4);
    bytes.writeBigUInt64LE(BigInt(value), at * CONDITION_BYTES + 8);
    bytes.writeBigUInt64LE(BigInt(second), at * CONDITION_BYTES + 16);
  }
  return bytes;
}

/** The functions of libseccomp return negative error numbers. */
const reasonOf = (result: number): string => libc.strerror(-result);

function addArchitectures(library: Library, context: Context, names: readonly string[]): string | undefined {
  for (const name of names) {
    const token = library.architectureNamed(name);
    if (token === 0) return `architecture ${name}: ${LIBRARY} does not know it`;
    const added = library.addArchitecture(context, token);
    // That of the machine, or one that is named twice.
    if (added < 0 && added !== -libc.errno.EEXIST) return `architecture ${name}: ${reasonOf(added)}`;
  }
  return undefined;
}

function addRule(library: Library, context: Context, { names, action, conditions }: SeccompRule): string | undefined {
  const encoded = encodeConditions(conditions);
  for (const name of names) {
    const call = library.callNamed(name);
    const shown = JSON.stringify(name.slice(0, 100));
    if (call === UNKNOWN_CALL) return `${shown} is no system call that ${LIBRARY} knows`;
    const added = library.addRule(context, numberOf(action), call, conditions.length, encoded);
    // The library refuses rules that change nothing.
    if (added === -libc.errno.EACCES) return `${shown}: a rule has the default action`;
    if (added < 0) return `${shown}: ${reasonOf(added)}`;
  }
  return undefined;
}

function exportProgram(library: Library, context: Context): Result<Uint8Array, string> {
  const file = libc.memfd_create('meseta-seccomp', MFD_CLOEXEC);
  if (file < 0) return err(`no file in memory: ${libc.strerror(libc.lastError())}`);
  try {
    const exported = library.exportProgram(context, file);
    if (exported < 0) return err(reasonOf(exported));
    const bytes = Buffer.alloc(fstatSync(file).size);
    readSync(file, bytes, 0, bytes.length, 0);
    const count = bytes.length / INSTRUCTION_BYTES;
    return count <= MAX_SECCOMP_INSTRUCTIONS
      ? ok(bytes)
      : err(`its program has ${count} instructions, the kernel takes at most ${MAX_SECCOMP_INSTRUCTIONS}`);
  } finally {
    closeSync(file);
  }
}

function compile(library: Library, { defaultAction, architectures, rules }: SeccompFilter): Result<Uint8Array, string> {
  const context = library.init(numberOf(defaultAction));
  if (BigInt(context) === 0n) return err('the default action is not known to this kernel');
  try {
    const problem = addArchitectures(library, context, architectures);
    if (problem !== undefined) return err(problem);
    for (const rule of rules) {
      const problemOfRule = addRule(library, context, rule);
      if (problemOfRule !== undefined) return err(problemOfRule);
    }
    return exportProgram(library, context);
  } finally {
    library.release(context);
  }
}

/** Why this machine can't filter system calls, or the port. */
export function createSeccompCompiler(): Result<SeccompCompiler, string> {
  const architecture = NATIVE[process.arch];
  if (architecture === undefined)
    return err(`the processor ${process.arch} is none of ${Object.keys(NATIVE).join(', ')}`);
  // A kernel with filters looks for the program, which is nowhere (prctl(2)).
  const result = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0);
  if (result !== -1 || libc.lastError() !== libc.errno.EFAULT) return err('the kernel has no filters of system calls');
  let library: Library;
  try {
    library = loadLibrary();
  } catch {
    return err(MISSING);
  }
  return ok({ architecture, compile: (filter) => compile(library, filter) });
}
