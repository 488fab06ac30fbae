// Usage: npm start [-- OPTION...]. From a fresh clone to a running cluster: installs what is missing, builds, `meseta up`.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from './setup.mjs';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
setup();
// Ctrl-C is the cluster's to handle; this process only waits for it.
process.on('SIGINT', () => undefined);
const done = spawnSync(process.execPath, [`${root}/bin/meseta`, 'up', ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(done.status ?? 1);
