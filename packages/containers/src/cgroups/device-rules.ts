// Which devices the processes of a cgroup can use, in the form of each version of cgroups (the kernel's
// admin-guide/cgroup-v1/devices and admin-guide/cgroup-v2, Device controller). Pure.

/** What is allowed; everything else is forbidden. */
export interface DeviceRule {
  /** Of characters or blocks. */
  readonly kind: 'c' | 'b';
  /** undefined: all. */
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** Letters of `rwm`: read, write and mknod. An access is allowed if one rule has all that it asks for. */
  readonly access: string;
}

/** A line of `devices.allow`. */
export const textOfRule = ({ kind, major, minor, access }: DeviceRule): string =>
  `${kind} ${major ?? '*'}:${minor ?? '*'} ${access}`;

/** linux/bpf.h: enum of the accesses and of the kinds of devices. */
const ACCESS_BITS: readonly (readonly [letter: string, bit: number])[] = [
  ['m', 1],
  ['r', 2],
  ['w', 4],
];
const ALL_ACCESS = 7;
const KIND_NUMBERS = { b: 1, c: 2 };

/** Codes of instructions (the kernel's bpf/standardization/instruction-set). */
const LOAD_WORD = 0x61;
const SET = 0xb7;
const COPY = 0xbf;
const AND = 0x57;
const XOR = 0xa7;
const SHIFT_RIGHT = 0x77;
const JUMP_UNLESS_EQUAL = 0x55;
const EXIT = 0x95;

/** The registers of the program. */
const RESULT = 0;
const CONTEXT = 1;
const KIND = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

interface Instruction {
  readonly code: number;
  readonly to: number;
  readonly from?: number;
  readonly offset?: number;
  readonly value?: number;
}

/** struct bpf_cgroup_dev_ctx: the access in the upper and the kind in the lower half of a word; major; minor. */
const BEGINNING: readonly Instruction[] = [
  { code: LOAD_WORD, to: KIND, from: CONTEXT, offset: 0 },
  { code: COPY, to: ACCESS, from: KIND },
  { code: AND, to: KIND, value: 0xffff },
  { code: SHIFT_RIGHT, to: ACCESS, value: 16 },
  { code: LOAD_WORD, to: MAJOR, from: CONTEXT, offset: 4 },
  { code: LOAD_WORD, to: MINOR, from: CONTEXT, offset: 8 },
];

const answer = (value: 0 | 1): readonly Instruction[] => [
  { code: SET, to: RESULT, value },
  { code: EXIT, to: RESULT },
];

/**
 * Leaves the rule unless the register, changed by an operation, is 0. The comparison is one of a copy: the kernel's verifier
 * follows what is known of each register, and would take a time that grows with the square of the rules.
 */
const unlessZero = (register: number, operation: number, value: number): readonly Instruction[] => [
  { code: COPY, to: RESULT, from: register },
  { code: operation, to: RESULT, value },
  { code: JUMP_UNLESS_EQUAL, to: RESULT, value: 0 },
];

/** Allows what the rule allows, and goes on after it with everything else. */
function instructionsOf({ kind, major, minor, access }: DeviceRule): readonly Instruction[] {
  const bits = ACCESS_BITS.reduce((sum, [letter, bit]) => (access.includes(letter) ? sum | bit : sum), 0);
  const all = [
    ...unlessZero(KIND, XOR, KIND_NUMBERS[kind]),
    ...unlessZero(ACCESS, AND, ALL_ACCESS & ~bits),
    ...(major === undefined ? [] : unlessZero(MAJOR, XOR, major)),
    ...(minor === undefined ? [] : unlessZero(MINOR, XOR, minor)),
    ...answer(1),
  ];
  return all.map((each, index) =>
    each.code === JUMP_UNLESS_EQUAL ? { ...each, offset: all.length - index - 1 } : each,
  );
}

const INSTRUCTION_BYTES = 8;

/** A program of version 2 that allows what one of the rules allows. */
export function encodeDeviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const instructions = [...BEGINNING, ...rules.flatMap(instructionsOf), ...answer(0)];
  const bytes = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, { code, to, from = 0, offset = 0, value = 0 }] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt8(code, at);
    bytes.writeUInt8((from << 4) | to, at + 1);
    bytes.writeInt16LE(offset, at + 2);
    bytes.writeInt32LE(value, at + 4);
  }
  return bytes;
}
