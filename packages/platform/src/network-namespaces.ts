// The port NetworkNamespaces on Linux: a namespace is bound to a file, as ip-netns(8) does it.
//
// Boundary: the calls change the namespace of this process' main thread for a moment, during which only the code given to
// `within` runs. Other threads, which Node's file system calls use, stay in their own.
// NETWORK-NAMESPACES-1: after each call the thread is back in its own namespace, or the process ends.
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { assert, type NetworkNamespaces } from '@meseta/base';
import { CLONE_NEWNET } from './isolation-steps.js';
import * as libc from './libc.js';
import { createProbes } from './outbound.js';
import { attemptNow } from './system-results.js';

const { O_CREAT, O_EXCL, O_RDONLY } = constants;
const OWN = '/proc/thread-self/ns/net';
const FILE_MODE = 0o400;

const MS_BIND = 0x1000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** struct ifreq (netdevice(7)), in words of 16 bits. */
const IFREQ_WORDS = 20;
const IFREQ_FLAGS = 8;

/** Calls `run`, which may change the namespace, and comes back to the own one. NETWORK-NAMESPACES-1. */
function restoringNamespace<T>(run: () => T): T {
  const own = openSync(OWN, O_RDONLY);
  try {
    return run();
  } finally {
    assert(libc.setns(own, CLONE_NEWNET) === 0, 'back in the own network namespace');
    closeSync(own);
  }
}

/** Calls `run` in the namespace of the file. */
function within<T>(path: string, run: () => T): T {
  const file = openSync(path, O_RDONLY);
  try {
    return restoringNamespace(() => {
      libc.checked(libc.setns(file, CLONE_NEWNET), `${path}: enter the network namespace`);
      return run();
    });
  } finally {
    closeSync(file);
  }
}

function raiseLoopback(): void {
  const socket = libc.checked(libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'open a socket');
  try {
    const request = new Uint16Array(IFREQ_WORDS);
    new Uint8Array(request.buffer).set(Buffer.from('lo'));
    request[IFREQ_FLAGS] = IFF_UP;
    libc.checked(libc.ioctl(socket, SIOCSIFFLAGS, request), 'bring up the loopback interface');
  } finally {
    closeSync(socket);
  }
}

function create(path: string): void {
  closeSync(openSync(path, O_RDONLY | O_CREAT | O_EXCL, FILE_MODE));
  restoringNamespace(() => {
    libc.checked(libc.unshare(CLONE_NEWNET), 'make a network namespace');
    raiseLoopback();
    libc.checked(libc.mount(OWN, path, null, MS_BIND, null), `${path}: bind the network namespace`);
  });
}

/** Containers whose view of the file system has a copy of the mount lose it with the file. */
function remove(path: string): void {
  if (libc.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) !== 0 && libc.lastError() === libc.errno.ENOENT) return;
  unlinkSync(path);
}

function exists(path: string): boolean {
  return attemptNow(() => within(path, () => {})).ok;
}

export function createNetworkNamespaces(): NetworkNamespaces {
  return {
    create: (path) => attemptNow(() => create(path)),
    exists,
    remove: (path) => attemptNow(() => remove(path)),
    outboundFrom: (path) => createProbes((connectNow) => within(path, connectNow)),
  };
}
