// Every story in packages/simulator/scenarios. MESETA_REWRITE=1 writes what happened into the files: read the diff.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { play } from './scenario.js';

const FOLDER = 'packages/simulator/scenarios';
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

test('the scenarios are found', () => assert(files.length >= 25));

for (const name of files) {
  test(name.replace('.txt', '').replaceAll('-', ' '), () => {
    const path = `${FOLDER}/${name}`;
    const text = readFileSync(path, 'utf8');
    const played = play(text);
    if (process.env['MESETA_REWRITE'] === '1') writeFileSync(path, played);
    else assert.equal(played, text);
  });
}
