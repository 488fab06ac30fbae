// Shared by the scripts: the checkout's root, bundling TypeScript for Node, and running commands.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './setup.mjs';

export { root };

/** Bundles entry points for Node without npm packages. Returns the files written, in the order of the entry points. */
export async function bundleNode(entries, outdir) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    outbase: '.',
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'warning',
    outExtension: { '.js': '.mjs' },
    plugins: [externalDependencies],
  });
  const written = new Map();
  for (const [file, output] of Object.entries(result.metafile.outputs)) {
    if (output.entryPoint) written.set(output.entryPoint, resolve(root, file));
  }
  return entries.map((entry) => written.get(entry));
}

/** Bundles a TypeScript program into a folder below .build, runs it in this process and removes the folder. */
export async function runTypeScript(entry, name) {
  const folder = `.build/${name}-${process.pid}`;
  const [file] = await bundleNode([entry], folder);
  try {
    await import(pathToFileURL(file).href);
  } finally {
    rmSync(`${root}/${folder}`, { recursive: true, force: true });
  }
}

/** Bundles workspace packages (they are TypeScript) and keeps imports of npm packages. */
export const externalDependencies = {
  name: 'external-dependencies',
  setup(plugin) {
    plugin.onResolve({ filter: /^[^./]/ }, ({ path }) =>
      path.startsWith('@meseta/') || resolve(path) === path ? undefined : { path, external: true },
    );
  },
};

/** Runs a command in the checkout. If it fails, this process exits with its status. */
export function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (done.error) throw done.error;
  if (done.status !== 0) process.exit(done.status ?? 1);
}
