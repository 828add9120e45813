// An operator's home in a temporary directory: host.json, enablements, signed packages, trust. Made fresh for each test that wants one.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Enablement } from '../../schemas/enablement.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import type { PluginManifest, PluginKind } from '../../schemas/plugin-manifest.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from './packages.ts';
import { tempDir, type TempDir } from './temp.ts';

/** A plugin written inline: `source` is the text of plugin.js. */
export interface TestPlugin {
  /** Instance and last id segment; the id is `test.<name>`. */
  readonly name: string;
  readonly kind: PluginKind;
  readonly source: string;
  readonly version?: string;
  readonly manifest?: Partial<PluginManifest>;
  /** Merged into the enablement; `grants` default to what the manifest asks for. */
  readonly enablement?: Partial<Enablement>;
}

export interface TestHome extends AsyncDisposable {
  readonly path: string;
  /** Builds, signs and enables one more plugin. */
  add(plugin: TestPlugin): Promise<string>;
  /** Writes any file below the home, text as it is, everything else as JSON. */
  write(path: string, content: unknown): Promise<void>;
}

export async function aHome(plugins: readonly TestPlugin[] = [], config: HostConfig = {}): Promise<TestHome> {
  const dir: TempDir = await tempDir('gatehouse-home-');
  const key = newTestKey('test');
  const write = async (path: string, content: unknown) => {
    const file = join(dir.path, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`);
  };
  // Test plugins do odd things on purpose, and nobody reviews them.
  await write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, ...config, trust: { scan: { onWarn: 'report' }, ...config.trust } });
  await mkdir(join(dir.path, 'manifests/plugins'), { recursive: true });
  await writeTrustRecord(dir.path, key);

  const home: TestHome = {
    path: dir.path,
    write,
    async add({ name, kind, source, version = '1.0.0', manifest = {}, enablement = {} }) {
      const id = `test.${name}`;
      const folder = join(dir.path, 'plugins', `${id}-${version}`);
      await buildTestPackage({ dir: folder, id, version, kind, source, manifest, key });
      await write(`manifests/plugins/${name}.json`, { plugin: id, instance: name, source: `plugins/${id}-${version}`, grants: manifest.capabilities ?? [], ...enablement });
      return folder;
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
  for (const plugin of plugins) await home.add(plugin);
  return home;
}
