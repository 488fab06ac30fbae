// Filters of system calls (seccomp(2)), as plain data, and the port that turns them into programs of the kernel.
import type { Result } from './result.js';

/** What happens at a system call; those of libseccomp (seccomp_init(3)). */
export type SeccompAction =
  | { readonly kind: 'allow' | 'killThread' | 'killProcess' | 'log' | 'trap' }
  /** The call fails with this error number; a tracer gets the number. */
  | { readonly kind: 'fail' | 'trace'; readonly errno: number };

export type SeccompComparison =
  | 'notEqual'
  | 'less'
  | 'lessOrEqual'
  | 'equal'
  | 'greaterOrEqual'
  | 'greater'
  /** The bits of `value` in the argument are `second`. */
  | 'maskedEqual';

export interface SeccompCondition {
  /** Of the argument: 0 to 5. */
  readonly index: number;
  readonly comparison: SeccompComparison;
  readonly value: number;
  readonly second: number;
}

export interface SeccompRule {
  /** Of system calls. */
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** All must be met. */
  readonly conditions: readonly SeccompCondition[];
}

export interface SeccompFilter {
  /** Where no rule applies. */
  readonly defaultAction: SeccompAction;
  /** Names of libseccomp, such as `x86_64`. That of the machine is always filtered; calls of the others are killed. */
  readonly architectures: readonly string[];
  readonly rules: readonly SeccompRule[];
}

/** The longest program that the kernel takes (BPF_MAXINSNS). */
export const MAX_SECCOMP_INSTRUCTIONS = 4096;

export interface SeccompCompiler {
  /** The name of the machine's own architecture. */
  readonly architecture: string;
  /** The program of the kernel, or what of the filter is not known. */
  compile(filter: SeccompFilter): Result<Uint8Array, string>;
}
