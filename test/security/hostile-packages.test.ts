// A home full of hostile packages, started by a real host: each is refused with its code, none runs, and the innocent ones chat on.
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ENVELOPE_FILE } from '../../host/trust/dsse.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { addNeighbours, besideNeighbour } from '../support/neighbour.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';

const SOURCE = 'gatehouse.register({ kind: "tool", handlers: { call: async () => "it runs" } });';
const key = newTestKey('acme');

interface Planted {
  readonly name: string;
  /** What refuses it. */
  readonly code: string | RegExp;
  readonly id?: string;
  readonly by?: typeof key;
  readonly expiresAt?: number;
  readonly tamper?: (folder: string, home: TestHome) => Promise<unknown>;
}

const edit = async (file: string, change: (text: string) => string) => writeFile(file, change(await readFile(file, 'utf8')));

const PLANTED: readonly Planted[] = [
  { name: 'swapped', code: 'RELEASE_FILES', tamper: (folder) => edit(join(folder, 'plugin.js'), (text) => `${text} evil();`) }, // 98
  { name: 'added', code: /RELEASE_FILES|PACKAGE_INVALID/, tamper: (folder) => writeFile(join(folder, 'evil.js'), 'evil()') }, // 90
  { name: 'linked', code: 'PACKAGE_INVALID', tamper: async (folder) => (await rm(join(folder, 'plugin.js')), await symlink('/etc/passwd', join(folder, 'plugin.js'))) }, // 91
  { name: 'renamed', code: /MANIFEST_INVALID|RELEASE_FILES|PACKAGE_OTHER_PLUGIN/, tamper: (folder) => edit(join(folder, 'plugin.json'), (text) => text.replace('acme.renamed', 'acme.ren\u0430med')) }, // 93
  { name: 'doubled', code: /JSON_DUPLICATE_KEY|RELEASE_FILES|MANIFEST_INVALID/, tamper: (folder) => edit(join(folder, 'plugin.json'), (text) => text.replace('{', '{ "id": "acme.doubled",')) }, // 95
  { name: 'marked', code: /JSON_ENCODING|RELEASE_FILES|MANIFEST_INVALID/, tamper: (folder) => edit(join(folder, 'plugin.json'), (text) => `\ufeff${text}`) }, // 96
  { name: 'proto', code: /JSON_FORBIDDEN_KEY|RELEASE_FILES|MANIFEST_INVALID/, tamper: (folder) => edit(join(folder, 'plugin.json'), (text) => text.replace('{', '{ "__proto__": { "trusted": true },')) }, // 97
  { name: 'respelt', code: 'RELEASE_FILES', tamper: (folder) => edit(join(folder, 'plugin.json'), (text) => `${text} `) }, // 98
  { name: 'malleated', code: /RELEASE_SIGNATURE|RELEASE_ENVELOPE/, tamper: (folder) => edit(join(folder, ENVELOPE_FILE), (text) => text.replace(/"sig": ?"(.)/, (all, first: string) => all.slice(0, -1) + (first === 'A' ? 'B' : 'A'))) }, // 99
  { name: 'unsigned', code: /RELEASE_/, tamper: (folder) => rm(join(folder, ENVELOPE_FILE)) },
  { name: 'stranger', code: 'KEY_UNTRUSTED', by: newTestKey('acme') },
  { name: 'confused', code: /PUBLISHER|KEY_/, by: newTestKey('trusted') }, // 102
  { name: 'stale', code: /EXPIRED/, expiresAt: Date.UTC(2020, 0) }, // 105
  { name: 'broken', code: 'PLUGIN_LOAD_FAILED', tamper: async (folder) => void (await buildTestPackage({ dir: folder, id: 'acme.broken', kind: 'tool', source: '}); evil(); (function () {', key })) }, // 108
];

it('attacks 90 to 108 at once: a host started over hostile packages refuses each, runs none, and serves the rest', async () => {
  await using home = await aHome();
  await addNeighbours(home);
  await writeTrustRecord(home.path, key);
  for (const { name, id = `acme.${name}`, by = key, expiresAt, tamper } of PLANTED) {
    const dir = join(home.path, 'plugins', name);
    if (by.publisher === 'trusted') await writeTrustRecord(home.path, by);
    await buildTestPackage({ dir, id, kind: 'tool', source: SOURCE, key: { ...by, publisher: 'acme' }, ...(expiresAt === undefined ? {} : { expiresAt, now: expiresAt - 1000 }) });
    await tamper?.(dir, home);
    await home.write(`manifests/plugins/${name}.json`, { plugin: id, instance: name, source: `plugins/${name}`, grants: [] });
  }
  await using gatehouse = await startGatehouse(home);
  await besideNeighbour(gatehouse, async () => {
    // The one that loads and fails is tried again for a while, and is `starting` in between.
    await eventually(() => {
      const shown = PLANTED.map(({ name, code }) => ({ name, code, view: gatehouse.host.plugins.show(name) }));
      const wrong = shown.filter(({ code, view }) => ['active', 'starting'].includes(view.state) || !new RegExp(code).test(view.code ?? ''));
      expect(wrong.map(({ name, view: { state, code, message } }) => ({ name, state, code, message }))).toEqual([]);
    });
    expect((await gatehouse.fetch('/readyz')).status).toBe(200);
    for (const { name } of PLANTED) expect((await gatehouse.api(`/plugins/${name}/enable`, { method: 'POST', body: {} })).json()).not.toMatchObject({ state: 'active' });
  });
});

it('attack 104 rollback: an older signed version, or the same with other bytes, does not start where a newer one ran', async () => {
  await using home = await aHome();
  await addNeighbours(home);
  await writeTrustRecord(home.path, key);
  const versions = { newer: '2.0.0', older: '1.0.0', same: '2.0.0' } as const;
  for (const [name, version] of Object.entries(versions)) await buildTestPackage({ dir: join(home.path, 'plugins', name), id: 'acme.roller', version, kind: 'tool', source: `${SOURCE} // ${name}`, key });
  const enable = (source: keyof typeof versions) => home.write('manifests/plugins/roller.json', { plugin: 'acme.roller', source: `plugins/${source}`, grants: [] });

  const states: unknown[] = [];
  for (const source of ['newer', 'older', 'same', 'newer'] as const) {
    await enable(source);
    await using gatehouse = await startGatehouse(home);
    await besideNeighbour(gatehouse, async () => {
      const { state, code } = gatehouse.host.plugins.show('roller');
      states.push(code ?? state);
    });
  }
  expect(states).toEqual([expect.stringMatching(/active|hibernated|approved/), 'ROLLBACK', 'SAME_VERSION_CHANGED', expect.stringMatching(/active|hibernated|approved/)]);
});
