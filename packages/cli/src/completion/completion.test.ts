import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { completionPaths } from '../commands/completion.js';
import { bashScript, fishScript, zshScript } from './scripts.js';

test('every command, verb and option is in the scripts of all shells', async () => {
  const paths = await completionPaths();
  const scripts = [bashScript(paths), zshScript(paths), fishScript(paths)];
  assert.ok(paths.some(({ command }) => command.join(' ') === 'task list'));
  for (const { command, options } of paths) {
    for (const text of [...command, ...options.map(({ name }) => name)]) {
      for (const script of scripts) assert.ok(script.includes(text), text);
    }
  }
});

test('bash completes commands, verbs, options and flags', async () => {
  const table: readonly (readonly [line: string, candidates: string])[] = [
    ['ta', 'task'],
    ['task ', 'list logs exec attach kill'],
    ['task list --a', '--all'],
    ['agent dr', 'drain'],
    ['agent --zk_', '--zk_session_timeout='],
    ['master --work', '--work_dir='],
    ['explain ', 'task'],
    ['completion f', 'fish'],
    ['nothing x', ''],
  ];
  const script = bashScript(await completionPaths());
  const ask = table.map(([line]) => {
    const quoted = line.split(' ').map((argument) => `'${argument}'`);
    return `COMP_WORDS=(meseta ${quoted.join(' ')}); COMP_CWORD=${quoted.length}; _meseta; echo "\${COMPREPLY[*]}"`;
  });
  const done = spawnSync('bash', ['-c', [script, ...ask].join('\n')], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual(
    done.stdout.trimEnd().split('\n'),
    table.map(([, candidates]) => candidates).filter((_, at) => at < table.length - 1),
  );
});
