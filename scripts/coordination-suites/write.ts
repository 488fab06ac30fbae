// Writes the document of the run whose output is the standard input.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { rulesOf, STORES, type Store, SUITES_FILE, suitesDocument } from './document.js';

const lineOf = (program: string, argv: readonly string[], pattern: RegExp): string => {
  const text = execFileSync(program, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return pattern.exec(text)?.[1] ?? text.trim();
};

const SERVERS: { readonly [S in Store]: () => string } = {
  memory: () => 'an object of the process',
  LMDB: () => {
    const { version } = JSON.parse(readFileSync('node_modules/lmdb/package.json', 'utf8')) as {
      readonly version: string;
    };
    return `files in a directory, by the npm package lmdb ${version}`;
  },
  ZooKeeper: () => {
    const argv = ['-cp', '/usr/share/java/zookeeper.jar', 'org.apache.zookeeper.version.VersionInfoMain'];
    return `a real server, ${lineOf('java', argv, /^(Apache ZooKeeper, version [\d.]+)/m)}`;
  },
  etcd: () => `a real server, ${lineOf('etcd', ['--version'], /^(etcd Version: \S+)/m)}`,
};

/** Returns the exit status: 1, and no document, unless every rule has passed with every store. */
function write(tap: string): number {
  const rules = rulesOf(tap);
  const failures = rules.flatMap(({ title, outcomes }) =>
    [...outcomes]
      .filter(([, outcome]) => outcome !== 'passed')
      .map(([store, outcome]) => `${store}: ${title}: ${outcome}`),
  );
  const missing = STORES.filter((store) => !rules.some(({ outcomes }) => outcomes.has(store)));
  if (failures.length + missing.length > 0) {
    console.error([...failures, ...missing.map((store) => `${store}: no rule was tested`)].join('\n'));
    return 1;
  }
  const servers = Object.fromEntries(STORES.map((store) => [store, SERVERS[store]()])) as Record<Store, string>;
  writeFileSync(SUITES_FILE, suitesDocument(rules, servers));
  console.log(`${SUITES_FILE}: ${rules.length} rules`);
  return 0;
}

process.exitCode = write(readFileSync(0, 'utf8'));
