// Descriptors that child processes would inherit. Node opens its own with O_CLOEXEC. Others are inherited: those that the
// parent process left open, and LMDB's data file.
//
// DESCRIPTORS-1: tasks and helpers inherit no descriptor above 2 from an agent.
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';
import { systemError } from './system-results.js';

/** As fdinfo shows it (proc(5)); Node has no name for it. */
const O_CLOEXEC = 0o2000000;

/** The descriptors above 2 that a child would inherit, with the flags that they were opened with. */
function inheritable(): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name);
    if (descriptor <= 2) continue;
    try {
      const text = readFileSync(`/proc/self/fdinfo/${name}`, 'latin1');
      const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(text)?.[1] ?? '', 8);
      if ((flags & O_CLOEXEC) === 0) found.set(descriptor, flags);
    } catch {
      // The descriptor that listed the directory is closed by now.
    }
  }
  return found;
}

/** To be called at the start of a process: closes the descriptors that it inherited and would pass on. */
export function closeInherited(): void {
  for (const descriptor of inheritable().keys()) closeSync(descriptor);
}

/**
 * Keeps children from inheriting the descriptors that a library has open on a file. Each is closed and reopened with
 * O_CLOEXEC under the same number, as a new descriptor gets the lowest free number. Must be called before the library uses
 * the file again; after an error the library must not continue.
 */
export function keepFromChildren(path: string): Result<void, string> {
  try {
    const real = realpathSync(path);
    for (const [descriptor, flags] of inheritable()) {
      if (readlinkSync(`/proc/self/fd/${descriptor}`) !== real) continue;
      if (!reopen(real, descriptor, flags)) {
        return err(`${path}: another thread took its descriptor ${descriptor}; start the process again`);
      }
    }
    return ok(undefined);
  } catch (error) {
    return err(`${path}: can't be kept from child processes: ${systemError(error).message}`);
  }
}

function reopen(path: string, descriptor: number, flags: number): boolean {
  const access = flags & ~(constants.O_CREAT | constants.O_TRUNC | constants.O_EXCL);
  // Occupies the free numbers below, so that the descriptor's number is the lowest once it is closed.
  const below: number[] = [];
  for (let taken = -1; taken < descriptor; ) {
    taken = openSync(path, access);
    below.push(taken);
  }
  closeSync(descriptor);
  let opened = openSync(path, access);
  // Another thread has closed a lower one meanwhile.
  while (opened < descriptor) {
    below.push(opened);
    opened = openSync(path, access);
  }
  for (const each of below) closeSync(each);
  return opened === descriptor;
}
