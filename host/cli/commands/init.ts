// `gatehouse init`: writes a home, with the first-party plugins enabled as in this repository or with none.
import type { Command } from 'commander';
import { mkdir, readdir } from 'node:fs/promises';
import { resolve, join } from 'node:path';
import { writeFileWhole } from '../../authoring/write-file.ts';
import { systemClock } from '../../clock.ts';
import { loadConfig } from '../../config.ts';
import { GatehouseError } from '../../errors.ts';
import { enablementFor } from '../enable-package.ts';
import { writeEnablement } from '../enablement-files.ts';
import { FIRST_PARTY_CHOICES } from '../first-party-choices.ts';
import { example } from '../help.ts';
import { installPackage, trustFirstParty, verifyForHome } from '../install-package.ts';
import type { Io } from '../io.ts';

const HOST_JSON = {
  $schema: 'https://gatehouse.dev/schemas/host-config.schema.json',
  listen: '127.0.0.1:4280', dataDir: 'data', profile: 'local', strict: false, collision: 'reject', boot: { deadlineMs: 10_000 }, egress: { allow: [] },
};

export function register(program: Command, io: Io): void {
  program
    .command('init <dir>')
    .description('create a home directory with the first-party plugins')
    .option('--empty', 'enable no plugin')
    .addHelpText('after', example('gatehouse init my-home && gatehouse start --home my-home'))
    .action(async (dir: string, { empty }: { empty?: boolean }) => {
      const home = resolve(io.cwd, dir);
      await requireEmpty(home);
      for (const folder of ['manifests/plugins', 'manifests/trust/publishers', 'plugins']) await mkdir(join(home, folder), { recursive: true });
      await writeFileWhole(join(home, 'manifests', 'host.json'), `${JSON.stringify(HOST_JSON, null, 2)}\n`);
      const plugins = empty ? [] : await enableFirstParty(home, io);
      io.print({ home, plugins }, () => {
        const enabled = plugins.length === 0 ? 'No plugin is enabled.' : `Enabled: ${plugins.join(', ')}.`;
        return `Created ${home}. ${enabled}\nStart it with: gatehouse start --home ${dir}`;
      });
    });
}

/** Takes what the install brought or builds what the checkout lacks, and enables everything that needs nothing from the operator. */
async function enableFirstParty(home: string, io: Io): Promise<string[]> {
  const { firstParty } = await import('../../authoring/shipped.ts'); // brings the bundler along
  const config = loadConfig({ home, data: io.options.data, env: io.env, cwd: io.cwd });
  const { plugins, record } = await firstParty({ now: systemClock.now() });
  await trustFirstParty(config, record);
  const enabled: string[] = [];
  for (const { name, path } of plugins) {
    const choices = FIRST_PARTY_CHOICES[name];
    if (!choices) continue;
    const release = await verifyForHome(path, config, systemClock);
    await installPackage(config, release, systemClock);
    await writeEnablement(config, enablementFor({ release, choices, egress: config.egress }));
    enabled.push(name);
  }
  return enabled;
}

async function requireEmpty(home: string): Promise<void> {
  const names = await readdir(home).catch((thrown: unknown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  });
  if (names.length > 0) throw new GatehouseError('FOLDER_NOT_EMPTY', { folder: home });
}
