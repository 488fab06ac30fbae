// Usage: npm run check. Everything short of the packages' tests: formatter, linter, types, and the rules of scripts/tidy.
import { run } from './lib.mjs';

await import('./generate.mjs');
run('npx', ['--no-install', 'biome', 'check', '--error-on-warnings', '.']);
run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.json']);
run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.cores.json']);
run(process.execPath, ['scripts/test.mjs', 'scripts/tidy/tidy.test.ts']);
console.log('formatter, linter, types and tidy: fine');
