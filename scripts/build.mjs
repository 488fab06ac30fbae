// Usage: npm run build [-- --outdir=DIR]. Generates the schema's types and codecs, then bundles the CLI into dist/ or DIR.
// A daemon that runs from dist/ loads some chunks late, so a build does not remove the chunks of an earlier build: chunk
// names contain hashes, the entry is replaced last and atomically, and only chunks unused for a day are deleted.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { root } from './lib.mjs';

const outdir = process.argv.find((argument) => argument.startsWith('--outdir='))?.slice('--outdir='.length);
const dist = resolve(outdir ?? join(root, 'dist'));
const dayMs = 86_400_000;
const startedAt = new Date();

/** The newest modification time below some paths of the checkout, folders included (deleting a file changes its folder). */
function newest(paths) {
  let latest = 0;
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (stat.mtimeMs > latest) latest = stat.mtimeMs;
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
  };
  for (const path of paths) visit(join(root, path));
  return latest;
}

async function generateIfStale() {
  const folder = join(root, 'packages/wire/generated');
  const times = existsSync(folder) ? readdirSync(folder).map((file) => statSync(join(folder, file)).mtimeMs) : [];
  const isStale = times.length === 0 || Math.min(...times) < newest(['packages/wire/proto', 'packages/wire/codegen']);
  if (isStale) await import('./generate.mjs');
}

/** The output of a git command; undefined outside a git checkout. */
function git(...args) {
  const done = spawnSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return done.status === 0 ? done.stdout.trim() : undefined;
}

/** The build's fields of /version. */
const stamp = {
  version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
  date: startedAt.toISOString().replace(/T(.*)\.\d+Z/, ' $1 UTC'),
  timeSeconds: Math.floor(startedAt.getTime() / 1000),
  user: userInfo().username,
  gitSha: git('rev-parse', 'HEAD'),
  gitBranch: git('symbolic-ref', '-q', 'HEAD'),
  gitTag: git('describe', '--exact-match', '--tags'),
};

async function bundle() {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { meseta: 'packages/cli/src/main.ts' },
    outdir: dist,
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    outExtension: { '.js': '.mjs' },
    external: ['koffi', 'lmdb'],
    define: { MESETA_BUILD: JSON.stringify(stamp) },
    // Bundled CommonJS packages require() Node's modules; ES modules have no require.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
    write: false,
  });
  const isEntry = (file) => basename(file.path).startsWith('meseta.mjs');
  const files = result.outputFiles.sort((a, b) => Number(isEntry(a)) - Number(isEntry(b)));
  for (const file of files) {
    mkdirSync(dirname(file.path), { recursive: true });
    const unfinished = `${file.path}.${process.pid}`;
    writeFileSync(unfinished, file.contents);
    renameSync(unfinished, file.path);
  }
  return new Set(files.map((file) => relative(dist, file.path)));
}

function dropOldChunks(current) {
  const chunks = join(dist, 'chunks');
  for (const name of readdirSync(chunks)) {
    const path = join(chunks, name);
    if (!current.has(join('chunks', name)) && Date.now() - statSync(path).mtimeMs > dayMs)
      rmSync(path, { force: true });
  }
}

await generateIfStale();
// esbuild has printed the errors.
const written = await bundle().catch(() => process.exit(1));
dropOldChunks(written);
// A source that changes during the build is newer than the build.
utimesSync(join(dist, 'meseta.mjs'), startedAt, startedAt);
