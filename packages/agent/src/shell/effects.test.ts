import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { type ContainerId, err } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { type LaunchPorts, launch, type RemovalPorts, removeAndReport } from './effects.js';
import { createRemovals } from './sandboxes.js';

for (const [name, launchedAt] of [
  ['under the id of a container that is being removed', ''],
  ['in a container that is being removed', '/containers/inner'],
] as const) {
  test(`EFFECTS-1: a launch ${name} waits for the removal`, async (t) => {
    const root = mkdtempSync(`${tmpdir()}/meseta-effects-`);
    t.after(() => rmSync(root, { recursive: true }));
    const sandbox = `${root}/containers/c`;
    mkdirSync(`${sandbox}/old`, { recursive: true });
    writeFileSync(`${sandbox}/old/file`, '');
    let allowRemoval = (): void => {};
    const mayRemove = new Promise<void>((resolve) => {
      allowRemoval = resolve;
    });
    let report = (_result: string): void => {};
    const result = new Promise<string>((resolve) => {
      report = resolve;
    });
    let isPreparing = false;
    const ports: LaunchPorts & RemovalPorts = {
      files: createFiles(),
      workDir: root,
      findUser: async (user) => err(`user "${user}": not used by this test`),
      containers: { launch: () => report('launched') },
      preparing: new Map(),
      removals: createRemovals(),
      limitRemovals: async (work) => {
        await mayRemove;
        return work();
      },
      limitPreparations: (work) => {
        isPreparing = true;
        return work();
      },
      executorKey: undefined,
      push: ({ kind }) => kind === 'containerEvent' && report('failed'),
    };
    const containerId = 'c' as ContainerId;
    removeAndReport(ports, { kind: 'removeSandbox', containerId, path: sandbox });
    const spec = {
      containerId,
      sandbox: sandbox + launchedAt,
      user: undefined,
      command: {},
      environment: {},
      uris: [],
      rlimits: undefined,
      resources: [],
      container: undefined,
    };
    void launch(ports, { kind: 'launch', spec, volumes: [] });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isPreparing, false);
    allowRemoval();
    // The sandbox around a nested container is removed, so the launch fails.
    assert.equal(await result, launchedAt === '' ? 'launched' : 'failed');
    assert.equal(existsSync(`${sandbox}/old`), false);
    assert.equal(existsSync(sandbox), launchedAt === '');
  });
}
