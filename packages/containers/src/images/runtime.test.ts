import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CommandInfo } from '@meseta/wire';
import { environmentOf, executableOf, workingDirectoryOf } from './runtime.js';

describe('the table of docs/isolators/docker-runtime.md: Entrypoint and Cmd of the image, and the command', () => {
  const entrypoint = ['/entry', 'e1'];
  const cmd = ['/cmd', 'c1'];
  const images = [
    { entrypoint: [], cmd: [] },
    { entrypoint: [], cmd },
    { entrypoint, cmd: [] },
    { entrypoint, cmd },
  ];
  const ERROR = 'error';
  const OWN = 'that of the command';
  /** One result for each of the images. */
  const rows: readonly (readonly [command: CommandInfo, results: readonly string[]])[] = [
    [{ shell: false }, [ERROR, '/cmd c1', '/entry e1', '/entry e1 /cmd c1']],
    [{ shell: false, arguments: ['a', 'b'] }, [ERROR, '/cmd a b', '/entry e1 a b', '/entry e1 a b']],
    [{ shell: false, value: 'v' }, [OWN, OWN, OWN, OWN]],
    [{ shell: false, value: 'v', arguments: ['a'] }, [OWN, OWN, OWN, OWN]],
    [{ shell: true }, [ERROR, ERROR, ERROR, ERROR]],
    [{ shell: true, arguments: ['a'] }, [ERROR, ERROR, ERROR, ERROR]],
    [{ shell: true, value: 'v' }, [OWN, OWN, OWN, OWN]],
    [{ shell: true, value: 'v', arguments: ['a'] }, [OWN, OWN, OWN, OWN]],
  ];
  for (const [command, results] of rows) {
    for (const [at, expected] of results.entries()) {
      const image = images[at] ?? { entrypoint: [], cmd: [] };
      it(`${JSON.stringify(command)} with ${JSON.stringify(image)}: ${expected}`, () => {
        const found = executableOf(command, image);
        const shown = found.ok ? (found.value?.argv.join(' ') ?? OWN) : ERROR;
        assert.equal(shown, expected);
        if (found.ok && found.value !== undefined) assert.equal(found.value.program, found.value.argv[0]);
      });
    }
  }
});

describe('the environment of a container with an image', () => {
  const environment = { PATH: '/default', MESOS_SANDBOX: '/mnt', OWN: 'task', A: 'agent' };
  const command = { environment: { variables: [{ name: 'OWN', value: 'task' }] } };
  it("the image's variables replace the agent's defaults, and neither the command's own nor Mesos'", () => {
    const env = [
      'PATH=/image',
      'A=b=c',
      'OWN=image',
      'MESOS_SANDBOX=/x',
      'LIBPROCESS_IP=1',
      'EMPTY=',
      'none',
      '=x',
      'N=\0',
    ];
    const expected = { PATH: '/image', MESOS_SANDBOX: '/mnt', OWN: 'task', A: 'b=c', EMPTY: '' };
    assert.deepEqual(environmentOf({ environment, command }, { env }), expected);
  });

  it('a variable whose name is special in JavaScript is one like others', () => {
    const found = environmentOf({ environment: {}, command }, { env: ['__proto__=x'] });
    assert.deepEqual(Object.entries(found), [['__proto__', 'x']]);
  });
});

describe('the working directory', () => {
  const directories: readonly (readonly [string | undefined, string])[] = [
    [undefined, '/mnt/mesos/sandbox'],
    ['/app', '/app'],
    ['app', '/app'],
  ];
  for (const [workingDir, expected] of directories) {
    it(String(workingDir), () => {
      assert.deepEqual(workingDirectoryOf({ workingDir }, '/mnt/mesos/sandbox'), { ok: true, value: expected });
    });
  }
  it('one with a NUL byte is refused', () => assert.ok(!workingDirectoryOf({ workingDir: '/a\0' }, '/s').ok));
});
