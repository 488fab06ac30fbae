// Usage: npm start [-- OPTION...]. Installs missing npm packages, builds, and runs `meseta up`.
import { spawnSync } from 'node:child_process';
import { root, setup } from './setup.mjs';

setup();
// The cluster handles Ctrl-C; this process waits until it has exited.
process.on('SIGINT', () => undefined);
const done = spawnSync(process.execPath, [`${root}/bin/meseta`, 'up', ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(done.status ?? 1);
