// Attacks of a task on a launcher that runs as root: it replaces its output or its sandbox to reach files of root.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { events, next, nextEvent, output, root, spec, start } from '../../testing/launcher.js';
import type { ContainerSpec } from '../../types.js';

const asRoot = { skip: process.getuid?.() !== 0 };
const nobody = 65534;

/** A file that only root may write, and the path of one that does not exist. */
function makeVictims(): { readonly file: string; readonly created: string; check(): void } {
  const file = `${root}/victim`;
  const created = `${root}/created`;
  writeFileSync(file, 'of root\n', { mode: 0o600 });
  return {
    file,
    created,
    check() {
      assert.equal(readFileSync(file, 'utf8'), 'of root\n');
      assert.equal(existsSync(created), false);
    },
  };
}

/** The result of a launch: why it failed, or its exit status. */
async function outcome(id: ContainerId): Promise<string> {
  for (;;) {
    const found = events.find((event) => event.containerId === id && event.kind !== 'started');
    if (found?.kind === 'launchFailed') return found.message;
    if (found?.kind === 'exited') return JSON.stringify(found.status);
    await nextEvent();
  }
}

/** An archive whose `stdout` is not a regular file. */
function makeArchive(name: string, make: (directory: string) => void): string {
  const content = `${root}/${name}`;
  mkdirSync(content);
  make(content);
  execFileSync('tar', ['-cf', `${content}.tar`, '-C', content, '.']);
  chmodSync(`${content}.tar`, 0o644);
  return `${content}.tar`;
}

test(
  'CHILDREN-2: an output that an archive replaced by a link or a fifo fails the launch, and no link is written through',
  asRoot,
  async () => {
    chmodSync(root, 0o755);
    const victims = makeVictims();
    const kinds: readonly [string, (directory: string) => void][] = [
      ['stdout-link', (directory) => symlinkSync(victims.file, `${directory}/stdout`)],
      ['stderr-link', (directory) => symlinkSync(victims.created, `${directory}/stderr`)],
      ['stdout-fifo', (directory) => execFileSync('mkfifo', [`${directory}/stdout`])],
    ];
    const containers = await start();
    for (const [kind, make] of kinds) {
      const archive = makeArchive(kind, make);
      for (const user of ['nobody', undefined]) {
        const it = spec(
          `${kind}-${user ?? 'own'}`,
          { value: 'echo pwned; echo pwned >&2' },
          { user, uris: [{ value: archive }] },
        );
        if (user !== undefined) chownSync(it.sandbox, nobody, nobody);
        containers.launch(it);
        assert.match(
          await outcome(it.containerId),
          /std(out|err).*(symbolic link|fifo|can't be opened|regular)|126/,
          it.containerId,
        );
        victims.check();
      }
    }
  },
);

/** Starts a process of nobody that replaces a directory of its sandbox by another in a loop, until it is killed. */
async function startSwapping(directory: string): Promise<() => void> {
  const script =
    'chdir $ARGV[0] or die; $| = 1; print "ready\n"; for (;;) { rename "containers", "t"; rename "evil", "containers"; rest(); rename "containers", "evil"; rename "t", "containers"; rest() } sub rest { select undef, undef, undef, 0.004 }';
  const options = { stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'], uid: nobody, gid: nobody };
  const swapper = spawn('perl', ['-e', script, directory], options);
  await new Promise((resolve) => swapper.stdout.once('data', resolve));
  return () => swapper.kill('SIGKILL');
}

test(
  'CHILDREN-2: while a nested sandbox is replaced in a loop, no container runs in the replacement',
  asRoot,
  async () => {
    chmodSync(root, 0o755);
    const victims = makeVictims();
    const pod = `${root}/pod`;
    const ids = Array.from({ length: 24 }, (_, number) => `c${number}`);
    for (const id of ids) {
      mkdirSync(`${pod}/containers/${id}`, { recursive: true });
      mkdirSync(`${pod}/evil/${id}`, { recursive: true });
      writeFileSync(`${pod}/evil/${id}/evil`, '');
      if (Number(id.slice(1)) % 4 < 2) {
        symlinkSync(victims.file, `${pod}/evil/${id}/stdout`);
        symlinkSync(victims.created, `${pod}/evil/${id}/stderr`);
      }
      for (const path of [`evil/${id}`, 'evil', '.']) chownSync(`${pod}/${path}`, nobody, nobody);
    }
    const containers = await start();
    const stop = await startSwapping(pod);
    try {
      for (const [number, id] of ids.entries()) {
        const user = number % 2 === 0 ? 'nobody' : undefined;
        if (user !== undefined) chownSync(`${pod}/containers/${id}`, nobody, nobody);
        const it: ContainerSpec = {
          ...spec(id, { value: 'echo pwned; touch ran' }, { user }),
          sandbox: `${pod}/containers/${id}`,
        };
        containers.launch(it);
        await outcome(it.containerId);
      }
    } catch (error) {
      // The directory did not exist when this test used it.
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
    } finally {
      stop();
    }
    victims.check();
    const places = ['containers', 'evil', 't'].flatMap((place) => ids.map((id) => `${pod}/${place}/${id}`));
    const misled = places.filter((place) => existsSync(`${place}/ran`) && existsSync(`${place}/evil`));
    assert.deepEqual(misled, []);
  },
);

test('the output of another user belongs to that user, in a sandbox that is closed to others', asRoot, async () => {
  chmodSync(root, 0o711);
  const containers = await start();
  const it = spec('closed', { value: 'echo out; echo err >&2; stat -c "%U %a" stdout' }, { user: 'nobody' });
  chownSync(it.sandbox, nobody, nobody);
  chmodSync(it.sandbox, 0o750);
  containers.launch(it);
  assert.deepEqual((await next('exited', 'closed')).status, { kind: 'exited', code: 0 });
  assert.equal(output(it), 'out\nnobody 644\n');
  assert.equal(output(it, 'stderr'), 'err\n');
});

test('a nested container whose parent has no sandbox is not launched', async () => {
  const containers = await start();
  const it = { ...spec('gone', { value: 'true' }), sandbox: `${root}/parent/containers/gone` };
  containers.launch(it);
  assert.match(await outcome(it.containerId), /^sandbox: ENOENT: no such file or directory|^sandbox: .*ENOENT/);
});
