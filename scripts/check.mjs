// Usage: npm run check. Runs everything but the packages' tests: formatter, linter, types, knip (unused files, exports and
// dependencies), and the rules of scripts/tidy.
import { run } from './lib.mjs';

await import('./generate.mjs');
run('npx', ['--no-install', 'biome', 'check', '--error-on-warnings', '.']);
run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.json']);
run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.cores.json']);
run('npx', ['--no-install', 'knip', '--no-progress']);
run(process.execPath, ['scripts/test.mjs', 'scripts/tidy/tidy.test.ts']);
console.log('formatter, linter, types, knip and tidy: no complaints');
