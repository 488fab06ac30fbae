// Usage: npm run generate. Bundles and runs the generators of packages/wire.
import { runTypeScript } from './lib.mjs';

await runTypeScript('packages/wire/codegen/main.ts', 'codegen');
