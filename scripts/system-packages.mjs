// Installs the Debian packages that tests need besides npm's, where this is root on Debian or Ubuntu. Elsewhere the tests that
// need one are skipped, and the closing line of `npm test` counts them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** By package: a file that it installs. */
const PACKAGES = {
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  zookeeper: '/usr/share/java/zookeeper.jar',
  'etcd-server': '/usr/bin/etcd',
  'docker-registry': '/usr/bin/docker-registry',
  'docker.io': '/usr/sbin/dockerd',
};
const APT_GET = '/usr/bin/apt-get';
const TIMEOUT_MS = 300_000;

export const hasZooKeeper = () => existsSync(PACKAGES.zookeeper);

export function installSystemPackages() {
  const missing = Object.entries(PACKAGES).flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid?.() !== 0 || !existsSync(APT_GET)) {
    console.error(`Tests that need ${names} are skipped: install ${names} with your distribution's package manager.`);
    return;
  }
  console.error(`Installing ${names} (once) ...`);
  const run = (...argv) =>
    spawnSync(APT_GET, argv, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: TIMEOUT_MS,
    }).status === 0;
  const isDone = run('update', '-qq') && run('install', '-y', '-qq', '--no-install-recommends', ...missing);
  if (!isDone) console.error(`Tests that need ${names} are skipped: apt-get install ${names} failed; see above.`);
}
