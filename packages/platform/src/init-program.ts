// The first process of a pid namespace: a program that sleeps until it is killed. It is no shell and no file of this machine,
// because a container's root file system may have neither. As it ignores SIGCHLD, the kernel collects the orphans of its
// namespace.
//
// Owns: the program, an ELF file in memory (elf(5)) that nothing can change.
// PID-NAMESPACES-3: no process without CAP_SYS_PTRACE reaches the file system of this process by /proc, as that of a pod's is
//   the machine's. The kernel protects a process whose program it could execute but not read (proc_pid(5), execve(2)).
import { closeSync, fchmodSync, writeSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';
import * as libc from './libc.js';

interface Machine {
  /** e_machine of the ELF header. */
  readonly number: number;
  readonly code: readonly number[];
}

// biome-ignore format: one instruction a line
const machines: Readonly<Record<string, Machine>> = {
  x64: {
    number: 62,
    code: [
      0xb8, 0x22, 0x00, 0x00, 0x00, // next: mov eax, 34   pause
      0x0f, 0x05,                   //       syscall
      0xeb, 0xf7,                   //       jmp next
    ],
  },
  arm64: {
    number: 183,
    code: [
      0x00, 0x00, 0x80, 0xd2, // next: mov x0, #0
      0x01, 0x00, 0x80, 0xd2, //       mov x1, #0
      0x02, 0x00, 0x80, 0xd2, //       mov x2, #0
      0x03, 0x00, 0x80, 0xd2, //       mov x3, #0
      0x28, 0x09, 0x80, 0xd2, //       mov x8, #73   ppoll
      0x01, 0x00, 0x00, 0xd4, //       svc #0
      0xfa, 0xff, 0xff, 0x17, //       b next
    ],
  },
};

const HEADER_BYTES = 64;
const SEGMENT_HEADER_BYTES = 56;
const BASE = 0x400000n;
const PAGE_BYTES = 0x1000n;
const ET_EXEC = 2;
const PT_LOAD = 1;
const READ_AND_EXECUTE = 5;

/** An executable with one segment: the whole file. */
function encodeProgram({ number, code }: Machine): Buffer {
  const start = HEADER_BYTES + SEGMENT_HEADER_BYTES;
  const file = Buffer.alloc(start + code.length);
  // 64 bits, little endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(ET_EXEC, 16);
  file.writeUInt16LE(number, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BASE + BigInt(start), 24);
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(SEGMENT_HEADER_BYTES, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(PT_LOAD, HEADER_BYTES);
  file.writeUInt32LE(READ_AND_EXECUTE, HEADER_BYTES + 4);
  file.writeBigUInt64LE(BASE, HEADER_BYTES + 16);
  file.writeBigUInt64LE(BASE, HEADER_BYTES + 24);
  file.writeBigUInt64LE(BigInt(file.length), HEADER_BYTES + 32);
  file.writeBigUInt64LE(BigInt(file.length), HEADER_BYTES + 40);
  file.writeBigUInt64LE(PAGE_BYTES, HEADER_BYTES + 48);
  file.set(code, start);
  return file;
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 16;
const F_ADD_SEALS = 1033;
/** No further seals, no other size, no writes. */
const ALL_SEALS = 0xf;

/** PID-NAMESPACES-3. The process has no capability to read it either. */
const EXECUTABLE_ONLY = 0o111;

/** An empty file that can be executed. Linux before 6.3 does not know the flag; later ones may need it (vm.memfd_noexec). */
function createFile(): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const file = libc.memfd_create('meseta-init', flags | MFD_EXEC);
  return file >= 0 ? file : libc.memfd_create('meseta-init', flags);
}

/** An open descriptor of the program. */
export function createInitProgram(): Result<number, string> {
  const machine = machines[process.arch];
  if (machine === undefined) return err(`the processor ${process.arch} is none of ${Object.keys(machines).join(', ')}`);
  const file = createFile();
  if (file < 0) return err(`no file in memory: ${libc.strerror(libc.lastError())}`);
  writeSync(file, encodeProgram(machine));
  fchmodSync(file, EXECUTABLE_ONLY);
  if (libc.fcntl(file, F_ADD_SEALS, ALL_SEALS) === 0) return ok(file);
  closeSync(file);
  return err(`a file in memory can't be sealed: ${libc.strerror(libc.lastError())}`);
}
