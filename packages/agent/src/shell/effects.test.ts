import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { type EffectPorts, performEffect } from './effects.js';
import { createRemovals, type LaunchEffect } from './sandboxes.js';

for (const [what, launchedAt] of [
  ['is launched under the id of one that is being removed', ''],
  ['is launched in one that is being removed', '/containers/inner'],
] as const) {
  test(`EFFECTS-1: a container that ${what} waits for the removal`, async (t) => {
    const root = mkdtempSync(`${tmpdir()}/meseta-effects-`);
    t.after(() => rmSync(root, { recursive: true }));
    const sandbox = `${root}/containers/c`;
    mkdirSync(`${sandbox}/old`, { recursive: true });
    writeFileSync(`${sandbox}/old/file`, '');
    let remove = (): void => {};
    const mayRemove = new Promise<void>((resolve) => {
      remove = resolve;
    });
    let end = (_event: string): void => {};
    const ended = new Promise<string>((resolve) => {
      end = resolve;
    });
    let isPreparing = false;
    const ports = {
      files: createFiles(),
      workDir: root,
      containers: { launch: () => end('launched') },
      preparing: new Map(),
      removals: createRemovals(),
      removing: async (work: () => Promise<unknown>) => {
        await mayRemove;
        return work();
      },
      preparingFew: (work: () => Promise<unknown>) => {
        isPreparing = true;
        return work();
      },
      executorKey: undefined,
      push: (input: { readonly kind: string }) => input.kind === 'containerEvent' && end('failed'),
    } as unknown as EffectPorts;
    const containerId = 'c' as ContainerId;
    performEffect(ports, { kind: 'removeSandbox', containerId, path: sandbox });
    const spec = { containerId, sandbox: sandbox + launchedAt, user: undefined };
    performEffect(ports, { kind: 'launch', spec, volumes: [] } as unknown as LaunchEffect);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isPreparing, false);
    remove();
    // What a container lies in is gone, so that one can't be launched.
    assert.equal(await ended, launchedAt === '' ? 'launched' : 'failed');
    assert.equal(existsSync(`${sandbox}/old`), false);
    assert.equal(existsSync(sandbox), launchedAt === '');
  });
}
