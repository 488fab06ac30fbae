// Helper processes must not outlive the process that started them: what they write may be in use by its successor.
import { constants } from 'node:os';
import * as libc from './libc.js';

const PR_SET_PDEATHSIG = 1;

/** From now on the kernel kills this process when its parent ends (prctl(2)). */
export const endWithParent = (): void => {
  libc.prctl(PR_SET_PDEATHSIG, constants.signals.SIGKILL, 0, 0, 0);
};
