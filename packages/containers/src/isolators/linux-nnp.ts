// linux/nnp: no program that a container runs gets privileges by its file: setuid, setgid and file capabilities have no effect
// (Mesos: docs/isolators/linux-nnp.md; the kernel's no_new_privs).
import { ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export const linuxNnp: Isolator = {
  name: 'linux/nnp',
  supports: ({ linux }) => linux,
  plan: () => ok({ linux: { noNewPrivileges: true } }),
};
