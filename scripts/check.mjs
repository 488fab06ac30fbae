// Usage: npm run check. Everything short of running tests: formatter, linter, types.
import { run } from './lib.mjs';

await import('./generate.mjs');
run('npx', ['--no-install', 'biome', 'check', '--error-on-warnings', '.']);
run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.json']);
run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.cores.json']);
console.log('formatter, linter and types: fine');
