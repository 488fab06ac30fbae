import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  booleanFlag,
  byteSizeFlag,
  durationFlag,
  type FlagSources,
  flagsHelp,
  numberFlag,
  parseFlags,
  pathFlag,
  secretFlag,
  textFlag,
  urlFlag,
} from './flags.js';

const table = {
  agent_ping_timeout: durationFlag({ default: '15secs', aliases: ['slave_ping_timeout'] }),
  allocator: textFlag({ default: 'hierarchical' }),
  credentials: pathFlag(),
  hostname_lookup: booleanFlag({ default: true }),
  max_body: byteSizeFlag({ default: '64MB' }),
  port: numberFlag({ default: '5050' }),
  roles: textFlag(),
  modules: textFlag({ status: 'ignored' }),
  contender: textFlag({ status: 'refused', help: 'Start it without.' }),
  work_dir: pathFlag({ required: true }),
} as const;

const files: Readonly<Record<string, string>> = {
  '/etc/roles': 'a,b\n',
  '/etc/dos': 'a\r\n\r\n',
  '/etc/port': '7\n',
};
const parse = (argv: string[], env: Record<string, string> = {}) => {
  const sources: FlagSources = {
    argv: argv.some((arg) => arg.includes('work_dir')) ? argv : [...argv, '--work_dir=/w'],
    env,
    prefix: 'MESOS_',
    readFile(path) {
      const content = files[path];
      if (content === undefined) throw new Error('ENOENT');
      return content;
    },
  };
  return parseFlags(table, sources);
};

const taken: readonly (readonly [name: string, argv: string[], env: Record<string, string>, values: object])[] = [
  [
    'defaults',
    [],
    {},
    { agent_ping_timeout: 15_000, port: 5050, hostname_lookup: true, roles: undefined, max_body: 2 ** 26 },
  ],
  ['a value', ['--port=1'], {}, { port: 1 }],
  ['a value with an equals sign', ['--roles=a=b'], {}, { roles: 'a=b' }],
  ['an empty value', ['--roles='], {}, { roles: '' }],
  ['upper case', ['--PORT=1'], {}, { port: 1 }],
  ['an alias', ['--slave_ping_timeout=2mins'], {}, { agent_ping_timeout: 120_000 }],
  ['a boolean alone', ['--hostname_lookup'], {}, { hostname_lookup: true }],
  ['a boolean with its value', ['--hostname_lookup=false'], {}, { hostname_lookup: false }],
  ['a negated boolean', ['--no-hostname_lookup'], {}, { hostname_lookup: false }],
  ['the environment', [], { MESOS_PORT: '7', MESOS_NATIVE_JAVA_LIBRARY: 'x', OTHER: 'y' }, { port: 7 }],
  ['an alias in the environment', [], { ['MESOS_SLAVE_PING_TIMEOUT']: '1secs' }, { agent_ping_timeout: 1000 }],
  ['the command line before the environment', ['--port=1'], { MESOS_PORT: '7' }, { port: 1 }],
  ['a file', ['--roles=file:///etc/roles'], {}, { roles: 'a,b' }],
  ['a file with the line ends of another system', ['--roles=file:///etc/dos'], {}, { roles: 'a' }],
  ['a number in a file', ['--port=file:///etc/port'], {}, { port: 7 }],
  ['a path that stays one', ['--credentials=file:///etc/creds'], {}, { credentials: 'file:///etc/creds' }],
  ['what follows --', ['--port=1', '--', '--nonsense'], {}, { port: 1 }],
];
for (const [name, argv, env, values] of taken) {
  test(`accepted: ${name}`, () => {
    const flags = parse(['--work_dir=/w', ...argv], env);
    assert.ok(flags.ok, JSON.stringify(flags));
    assert.deepEqual({ ...flags.value.values, ...values }, flags.value.values);
  });
}

const refused: readonly (readonly [name: string, argv: string[], code: string, says: RegExp])[] = [
  ['an unknown flag', ['--prot=1'], 'unknownFlag', /--prot; did you mean --port\?/],
  ['dashes for underscores', ['--work-dir=/w'], 'unknownFlag', /did you mean --work_dir\?/],
  ['a flag like no other', ['--zzzzzzzz'], 'unknownFlag', /^Unknown flag --zzzzzzzz$/],
  ['a value that is none', ['--port=abc'], 'badValue', /--port: expected a number, got "abc"/],
  ['a duration without unit', ['--agent_ping_timeout=15'], 'badValue', /expected a duration/],
  ['a boolean that is none', ['--hostname_lookup=yes'], 'badValue', /expected a boolean/],
  ['a value flag negated', ['--no-port'], 'badValue', /no --no- form/],
  ['a negated boolean with a value', ['--no-hostname_lookup=true'], 'badValue', /takes no value/],
  ['a value left out', ['--port'], 'badValue', /expected a value: --port=VALUE/],
  [
    'a value after a space',
    ['--hostname_lookup', 'false'],
    'unexpectedArgument',
    /after --hostname_lookup; .*--hostname_lookup=VALUE/,
  ],
  ['a flag twice', ['--port=1', '--port=2'], 'duplicateFlag', /already/],
  [
    'a flag and its alias',
    ['--agent_ping_timeout=1secs', '--slave_ping_timeout=1secs'],
    'duplicateFlag',
    /--agent_ping_timeout/,
  ],
  ['a file that is not there', ['--roles=file:///nowhere'], 'badValue', /\/nowhere: ENOENT/],
];
for (const [name, argv, code, says] of refused) {
  test(`refused: ${name}`, () => {
    const flags = parse(argv);
    assert.ok(!flags.ok);
    assert.equal(flags.error.code, code);
    assert.match(flags.error.message, says);
  });
}

test('a missing required flag is an error that names it', () => {
  const flags = parseFlags(table, { argv: [], env: {}, prefix: 'MESOS_', readFile: () => '' });
  assert.ok(!flags.ok);
  assert.deepEqual([flags.error.code, flags.error.flag], ['missingFlag', '--work_dir']);
});

test('all values are shown as strings by main name in order; an ignored flag causes a warning', () => {
  const flags = parse(['--slave_ping_timeout=120secs', '--modules=x']);
  assert.ok(flags.ok);
  assert.deepEqual(
    [...flags.value.shown],
    [
      ['agent_ping_timeout', '2mins'],
      ['allocator', 'hierarchical'],
      ['hostname_lookup', 'true'],
      ['max_body', '64MB'],
      ['modules', 'x'],
      ['port', '5050'],
      ['work_dir', '/w'],
    ],
  );
  assert.deepEqual([...flags.value.given].sort(), ['agent_ping_timeout', 'modules', 'work_dir']);
  assert.equal(flags.value.warnings.length, 1);
  assert.match(flags.value.warnings[0] ?? '', /--modules/);
});

test('the types of values follow the table', () => {
  const flags = parse([]);
  assert.ok(flags.ok);
  const port: number = flags.value.values.port;
  const roles: string | undefined = flags.value.values.roles;
  const lookup: boolean = flags.value.values.hostname_lookup;
  const workDir: string = flags.value.values.work_dir;
  assert.deepEqual([port, roles, lookup, workDir], [5050, undefined, true, '/w']);
});

test('a refused flag is an error that says what to do instead, from the environment too', () => {
  const message = (result: ReturnType<typeof parse>): string => (result.ok ? 'taken' : result.error.message);
  assert.equal(message(parse(['--contender=x'])), 'Flag --contender: Start it without.');
  assert.equal(message(parse([], { MESOS_CONTENDER: 'x' })), 'Flag MESOS_CONTENDER: Start it without.');
});

test('help names every flag, its alias and its default', () => {
  const help = flagsHelp('Usage: meseta master [options]', table);
  for (const part of [
    '--slave_ping_timeout=VALUE',
    '--[no-]hostname_lookup',
    '(default: 5050)',
    '(required)',
    'no effect yet',
    'Start it without. (refused)',
  ]) {
    assert.ok(help.includes(part), part);
  }
});

test('secrets are not shown', () => {
  const secrets = { config: secretFlag(), zk: urlFlag() };
  const show = (...argv: string[]) => {
    const parsed = parseFlags(secrets, { argv, env: {}, prefix: 'MESOS_', readFile: () => '' });
    assert.ok(parsed.ok);
    return Object.fromEntries(parsed.value.shown);
  };
  assert.deepEqual(show('--config={"auth":"x"}', '--zk=zk://me:pass@word@a:1,b:2/mesos'), {
    config: '<hidden>',
    zk: 'zk://<hidden>@a:1,b:2/mesos',
  });
  assert.deepEqual(show('--zk=zk://a:1,b:2/mesos'), { zk: 'zk://a:1,b:2/mesos' });
});
