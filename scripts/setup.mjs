// Installs the npm packages when they are missing or older than the lock file. Imports Node's modules only, because it
// runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const oldestNodeMajor = 20;

export function setup() {
  if (Number(process.versions.node.split('.')[0]) < oldestNodeMajor) {
    console.error(`Meseta needs Node.js ${oldestNodeMajor} or newer, this is ${process.version}.`);
    process.exit(1);
  }
  const installed = `${root}/node_modules/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}/package-lock.json`).mtimeMs) return;
  console.error('Installing the npm packages (once) ...');
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (done.status !== 0) {
    console.error('npm ci failed; see above.');
    process.exit(done.status ?? 1);
  }
}
