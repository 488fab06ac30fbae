import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { makeTarget } from './mounts.js';

const onLinux = { skip: process.platform === 'linux' ? false : 'needs Linux' };

test(
  'MOUNTS-2: a target in any depth is made, and found again in a time that grows with its depth only',
  onLinux,
  () => {
    const directory = mkdtempSync(`${tmpdir()}/meseta-mounts-`);
    const root = openSync(directory, constants.O_DIRECTORY);
    const deep = (depth: number): string => Array.from({ length: depth }, () => 'd').join('/');
    /** The shortest of several times. */
    const timeOf = (depth: number): number => {
      let shortestMs = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 20; round++) {
        const startMs = performance.now();
        makeTarget(root, deep(depth), true);
        shortestMs = Math.min(shortestMs, performance.now() - startMs);
      }
      return shortestMs;
    };
    try {
      makeTarget(root, deep(2000), true);
      makeTarget(root, `${deep(500)}/file`, false);
      assert.equal(statSync(`${directory}/${deep(500)}/file`).isFile(), true);
      assert.ok(timeOf(2000) < 40 * timeOf(200));
    } finally {
      closeSync(root);
      execFileSync('rm', ['-r', directory]);
    }
  },
);
