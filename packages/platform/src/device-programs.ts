// The port DevicePrograms on Linux 4.15 and newer, by bpf(2).
//
// Boundary: nothing of a program stays in this process; the cgroup holds it.
import { closeSync, openSync } from 'node:fs';
import { type DevicePrograms, err, ok, type Result } from '@meseta/base';
import * as libc from './libc.js';
import { attemptNow } from './system-results.js';

/** linux/bpf.h */
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_PROG_QUERY = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
/** The programs of the cgroups above, as those of systemd, keep their effect. */
const BPF_F_ALLOW_MULTI = 2;
const INSTRUCTION_BYTES = 8;
/** The parts of union bpf_attr that are used here. */
const LOAD_BYTES = 72;
const ATTACH_BYTES = 16;
const QUERY_BYTES = 28;
const ID_BYTES = 12;
/** The kernel attaches no more of one kind to a cgroup (BPF_CGROUP_MAX_PROGS). */
const MAX_PROGRAMS = 64;
/** `expected_attach_type` */
const LOAD_ATTACH_TYPE = 68;

/** Two instructions: r0 = 1; exit. */
const ALLOW_ALL = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

/** A copy whose address is known to the kernel. */
function memoryOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

/** A descriptor of the program. */
function load(program: Uint8Array): number {
  const instructions = memoryOf(program);
  const license = memoryOf(Buffer.from('Apache-2.0\0'));
  const request = Buffer.alloc(LOAD_BYTES);
  request.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, 0);
  request.writeUInt32LE(program.length / INSTRUCTION_BYTES, 4);
  request.writeBigUInt64LE(libc.addressOf(instructions), 8);
  request.writeBigUInt64LE(libc.addressOf(license), 16);
  request.writeUInt32LE(BPF_CGROUP_DEVICE, LOAD_ATTACH_TYPE);
  return libc.checked(libc.bpf(BPF_PROG_LOAD, request), 'load a program for devices (bpf)');
}

/** The ids of the programs of the cgroup itself. */
function attachedTo(cgroup: number): readonly number[] {
  const ids = new Int32Array(MAX_PROGRAMS);
  const request = Buffer.alloc(QUERY_BYTES);
  request.writeUInt32LE(cgroup, 0);
  request.writeUInt32LE(BPF_CGROUP_DEVICE, 4);
  request.writeBigUInt64LE(libc.addressOf(ids), 16);
  request.writeUInt32LE(MAX_PROGRAMS, 24);
  libc.checked(libc.bpf(BPF_PROG_QUERY, request), 'list the programs of a cgroup (bpf)');
  return [...ids.subarray(0, request.readUInt32LE(24))];
}

function attachmentOf(cgroup: number, program: number, flags: number): Buffer {
  const request = Buffer.alloc(ATTACH_BYTES);
  request.writeUInt32LE(cgroup, 0);
  request.writeUInt32LE(program, 4);
  request.writeUInt32LE(BPF_CGROUP_DEVICE, 8);
  request.writeUInt32LE(flags, 12);
  return request;
}

function detach(cgroup: number, id: number): void {
  const request = Buffer.alloc(ID_BYTES);
  request.writeInt32LE(id, 0);
  const program = libc.checked(libc.bpf(BPF_PROG_GET_FD_BY_ID, request), 'open a program of a cgroup (bpf)');
  try {
    libc.checked(libc.bpf(BPF_PROG_DETACH, attachmentOf(cgroup, program, 0)), 'detach a program (bpf)');
  } finally {
    closeSync(program);
  }
}

/** Those before stay in force until the new one is there. */
function attach(directory: string, program: Uint8Array): void {
  const loaded = load(program);
  try {
    const cgroup = openSync(directory, 'r');
    try {
      const before = attachedTo(cgroup);
      const request = attachmentOf(cgroup, loaded, BPF_F_ALLOW_MULTI);
      libc.checked(libc.bpf(BPF_PROG_ATTACH, request), `${directory}: attach a program for devices (bpf)`);
      for (const id of before) detach(cgroup, id);
    } finally {
      closeSync(cgroup);
    }
  } finally {
    closeSync(loaded);
  }
}

/** Why this kernel takes no programs from this process, or the port. */
export function createDevicePrograms(): Result<DevicePrograms, string> {
  const tried = attemptNow(() => closeSync(load(ALLOW_ALL)));
  if (!tried.ok) return err(tried.error.message);
  return ok({ attach: (directory, program) => attemptNow(() => attach(directory, program)) });
}
