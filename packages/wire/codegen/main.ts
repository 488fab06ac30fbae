// Usage: npm run generate. Writes packages/wire/generated/ from packages/wire/proto/.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateCodecs } from './codecs.js';
import { readSchema } from './schema.js';
import { generateTypes } from './types.js';

const packageDirectory = join(process.cwd(), 'packages/wire');
const output = join(packageDirectory, 'generated');
mkdirSync(output, { recursive: true });
const schema = readSchema(join(packageDirectory, 'proto'));
writeFileSync(join(output, 'types.ts'), generateTypes(schema));
writeFileSync(join(output, 'codecs.ts'), generateCodecs(schema));
