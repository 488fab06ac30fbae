// `meseta registry`: backs the registry of a cluster up to a file, and restores it.
import { coordinatorAt } from '@meseta/coordination/coordinator';
import {
  type BackupSummary,
  backUpRegistry,
  type RegistryStore,
  restoreRegistry,
} from '@meseta/master/shell/registry-backup';
import { CommandError, defineCommand, EXIT, type OptionTable, readOptionFile, usageError } from '../command.js';
import type { Group } from '../dispatch.js';

const options = {
  'work-dir': {
    type: 'string',
    value: 'DIR',
    help: 'the --work_dir of a master without ZooKeeper and etcd',
  },
  coordinator: {
    type: 'string',
    value: 'ADDRESS',
    help: 'the zk:// or etcd:// address that the masters have, or file:///PATH of a file with it',
  },
} as const satisfies OptionTable;

interface Values {
  readonly 'work-dir'?: string | undefined;
  readonly coordinator?: string | undefined;
}

const FILE = 'file://';

function storeOf({ 'work-dir': workDir, coordinator }: Values, path: string): RegistryStore {
  if ((workDir === undefined) === (coordinator === undefined))
    throw usageError(path, 'expected either --work-dir or --coordinator');
  if (workDir !== undefined) return { kind: 'directory', workDir };
  const given = coordinator ?? '';
  const address = given.startsWith(FILE) ? readOptionFile('coordinator', given.slice(FILE.length)).trim() : given;
  const opened = coordinatorAt(address);
  if (!opened.ok) throw usageError(path, `--coordinator: ${opened.error}`);
  return { kind: 'coordinator', open: opened.value };
}

function show(what: string, { agents, unreachable, gone, quotas, weights, machines, created }: BackupSummary): void {
  const counts = `${agents} agents, ${unreachable} unreachable and ${gone} gone ones, ${quotas} quotas, ${weights} weights, ${machines} machines in maintenance`;
  process.stdout.write(`${what}, as of ${created}: ${counts}\n`);
}

const backup = defineCommand({
  summary: 'Writes a backup of the registry to a file.',
  positionals: 'FILE',
  about: `Writes a backup of the registry to a file that does not exist yet: the agents, quotas, weights and the maintenance schedule.
The masters may run meanwhile. Tasks and frameworks are not in the registry; the agents have them.`,
  options,
  async run(values, [file = ''], path) {
    const made = await backUpRegistry(storeOf(values, path), file, Date.now());
    if (!made.ok) throw new CommandError(`meseta ${path}: ${made.error}`);
    show(`wrote ${file}`, made.value);
    return EXIT.done;
  },
});

const restore = defineCommand({
  summary: 'Restores the registry from a backup.',
  positionals: 'FILE',
  about: 'Restores the registry from a backup, if the store is empty and no master runs.',
  options,
  async run(values, [file = ''], path) {
    const restored = await restoreRegistry(storeOf(values, path), file);
    if (!restored.ok) throw new CommandError(`meseta ${path}: ${restored.error}`);
    show(`restored ${file}`, restored.value);
    return EXIT.done;
  },
});

export const registry: Group = { summary: 'Backs up and restores the registry.', verbs: { backup, restore } };
