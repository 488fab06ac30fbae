// Usage: npm run pack [-- FOLDER]. Writes the two published packages as tarballs into FOLDER (default .build/packages):
// meseta (everything that runs; koffi and lmdb are its dependencies) and @meseta/sdk (ES modules, and its types).
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { root, run } from './lib.mjs';

const folder = resolve(process.argv[2] ?? join(root, '.build/packages'));
const staging = mkdtempSync(join(tmpdir(), 'meseta-pack-'));

const manifestOf = (path) => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
const { version, license, engines } = manifestOf('.');

/** Creates a package's folder with the files that every package has. */
function stage(name, manifest) {
  const home = join(staging, name);
  mkdirSync(home, { recursive: true });
  for (const file of ['LICENSE', 'README.md']) cpSync(join(root, file), join(home, file));
  const whole = { ...manifest, version, license, engines, type: 'module' };
  writeFileSync(join(home, 'package.json'), `${JSON.stringify(whole, undefined, 2)}\n`);
  return home;
}

function stageMeseta() {
  const home = stage('meseta', {
    name: 'meseta',
    description: 'A cluster manager that keeps to the interfaces of Apache Mesos',
    bin: { meseta: 'bin/meseta.mjs' },
    files: ['bin', 'dist'],
    dependencies: {
      koffi: manifestOf('packages/platform').dependencies.koffi,
      lmdb: manifestOf('packages/coordination').dependencies.lmdb,
    },
  });
  run(process.execPath, [join(root, 'scripts/build.mjs'), `--outdir=${join(home, 'dist')}`]);
  mkdirSync(join(home, 'bin'));
  const bin = join(home, 'bin/meseta.mjs');
  writeFileSync(bin, "#!/usr/bin/env node\nimport '../dist/meseta.mjs';\n");
  chmodSync(bin, 0o755);
  return home;
}

async function stageSdk() {
  const home = stage('sdk', {
    name: '@meseta/sdk',
    description: 'Clients to write Meseta and Mesos frameworks and operator tools with',
    exports: { '.': { types: './types/sdk/src/index.d.ts', default: './index.js' } },
    types: './types/sdk/src/index.d.ts',
    sideEffects: false,
    files: ['*.js', '*.js.map', 'types'],
  });
  await build({
    absWorkingDir: root,
    entryPoints: ['packages/sdk/src/index.ts'],
    outdir: home,
    bundle: true,
    // What needs Node is in a file of its own, which browsers never load.
    splitting: true,
    external: ['node:*'],
    platform: 'neutral',
    format: 'esm',
    target: 'es2022',
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
  });
  writeTypes(home);
  return home;
}

/** The compiler's declarations of the SDK's types and of the packages they come from, with imports inside the package. */
function writeTypes(home) {
  const emitted = join(staging, 'declarations');
  const config = join(root, '.build', `pack-${process.pid}.json`);
  mkdirSync(dirname(config), { recursive: true });
  // By their paths, because the compiler emits no declarations for packages found in node_modules.
  const paths = Object.fromEntries(
    ['api', 'base', 'coordination', 'wire'].flatMap((name) => [
      [`@meseta/${name}`, [`../packages/${name}/src/index.ts`]],
      [`@meseta/${name}/*`, [`../packages/${name}/src/*.ts`]],
    ]),
  );
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: root,
    outDir: emitted,
    paths,
  };
  writeFileSync(
    config,
    JSON.stringify({
      extends: '../tsconfig.json',
      compilerOptions,
      include: [],
      files: ['../packages/sdk/src/index.ts'],
    }),
  );
  run('npx', ['--no-install', 'tsc', '-p', config]);
  rmSync(config);
  const packages = join(emitted, 'packages');
  for (const path of readdirSync(packages, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.d.ts')) continue;
    const text = readFileSync(join(packages, path), 'utf8').replace(
      /(['"])@meseta\/([a-z]+)(?:\/([^'"]+))?\1/g,
      (_, quote, name, file = 'index') => {
        const to = relative(dirname(path), `${name}/src/${file}.js`).replaceAll('\\', '/');
        return `${quote}${to.startsWith('.') ? to : `./${to}`}${quote}`;
      },
    );
    mkdirSync(dirname(join(home, 'types', path)), { recursive: true });
    writeFileSync(join(home, 'types', path), text);
  }
}

try {
  mkdirSync(folder, { recursive: true });
  for (const home of [stageMeseta(), await stageSdk()]) {
    const packed = spawnSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
      cwd: home,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (packed.status !== 0) throw new Error(`npm pack in ${home} failed`);
    const [{ filename, unpackedSize, entryCount }] = JSON.parse(packed.stdout);
    console.log(`${join(folder, filename)}  ${entryCount} files, ${(unpackedSize / 2 ** 20).toFixed(1)} MiB unpacked`);
  }
} finally {
  rmSync(staging, { recursive: true, force: true });
}
