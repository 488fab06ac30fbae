// What the scripts share: where the checkout is and how a TypeScript entry becomes something Node runs.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** Bundles entries for Node, npm packages left outside; answers the files written, in the entries' order. */
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

/** Workspace packages are bundled (they are TypeScript), everything else from npm stays an import. */
export const externalDependencies = {
  name: 'external-dependencies',
  setup(plugin) {
    plugin.onResolve({ filter: /^[^./]/ }, ({ path }) =>
      path.startsWith('@meseta/') || resolve(path) === path ? undefined : { path, external: true },
    );
  },
};

/** Runs a command in the checkout; ends this process with its status if it fails. */
export function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (done.error) throw done.error;
  if (done.status !== 0) process.exit(done.status ?? 1);
}
