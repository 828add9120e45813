// What a bundle is made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): no times and no random ids, so the same bundle has the same list. Used by build.ts.
import { createHash } from 'node:crypto';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { VERSION } from '../version.ts';
import type { Bundle, BundledFile } from './bundle.ts';

/**
 * The list for `sbom.cdx.json`. The plugin itself carries the SHA-256 of its script, which is what binds the list to the bundle; under it and under each package
 * stand the files that went in, each with its SHA-256. Tools are named because another version of them may write another script.
 */
export function softwareBillOfMaterials({ id, version, license }: PluginManifest, { script, sources, uses, packages, bundler }: Bundle): string {
  const self = `${id}@${version}`;
  const refs = new Map(packages.map(({ name, version: each }) => [`${name}@${each}`, packageUrl(name, each)]));
  const refsOf = (keys: readonly string[]) => keys.flatMap((key) => refs.get(key) ?? []);
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      tools: { components: [{ type: 'application', name: 'esbuild', version: bundler }, { type: 'application', name: 'gatehouse', version: VERSION }] },
      component: {
        type: 'application',
        'bom-ref': self,
        name: id,
        version,
        hashes: [sha256(createHash('sha256').update(script).digest('hex'))],
        licenses: licenses(license),
        components: sources.map(fileComponent),
      },
    },
    components: packages.map(({ name, version: each, license: its, files }) => {
      const ref = packageUrl(name, each);
      const [group, rest] = scopeOf(name);
      return { type: 'library', 'bom-ref': ref, ...(group === undefined ? {} : { group }), name: rest, version: each, ...(its === undefined ? {} : { licenses: licenses(its) }), purl: ref, components: files.map(fileComponent) };
    }),
    dependencies: [{ ref: self, dependsOn: refsOf(uses) }, ...packages.map(({ name, version: each, uses: its }) => ({ ref: packageUrl(name, each), dependsOn: refsOf(its) }))],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** `pkg:npm/%40scope/name@version` (https://github.com/package-url/purl-spec): scope, name and version are percent-encoded each for itself. */
export function packageUrl(name: string, version: string): string {
  const [scope, rest] = scopeOf(name);
  const path = [scope, rest].flatMap((each) => (each === undefined ? [] : [encodeURIComponent(each)])).join('/');
  return `pkg:npm/${path}@${encodeURIComponent(version)}`;
}

function scopeOf(name: string): readonly [scope: string | undefined, rest: string] {
  const slash = name.startsWith('@') ? name.indexOf('/') : -1;
  return slash < 0 ? [undefined, name] : [name.slice(0, slash), name.slice(slash + 1)];
}

const sha256 = (content: string) => ({ alg: 'SHA-256', content });

const fileComponent = ({ name, sha256: digest }: BundledFile) => ({ type: 'file', name, hashes: [sha256(digest)] });

/** Ids that nobody could mistake for a name. Others are written as the author did: an id that SPDX does not have would make the document invalid. */
const SPDX_IDS: ReadonlySet<string> = new Set(['0BSD', 'AGPL-3.0-only', 'AGPL-3.0-or-later', 'Apache-2.0', 'Artistic-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BSL-1.0', 'CC-BY-4.0', 'CC0-1.0', 'EPL-2.0', 'EUPL-1.2', 'GPL-2.0-only', 'GPL-2.0-or-later', 'GPL-3.0-only', 'GPL-3.0-or-later', 'ISC', 'LGPL-2.1-only', 'LGPL-2.1-or-later', 'LGPL-3.0-only', 'LGPL-3.0-or-later', 'MIT', 'MIT-0', 'MPL-2.0', 'Python-2.0', 'Unlicense', 'WTFPL', 'Zlib']);

/** An id of SPDX, an expression made of such ids, or a name. */
function licenses(text: string): readonly object[] {
  if (SPDX_IDS.has(text)) return [{ license: { id: text } }];
  const words = text.split(/[\s()]+/).filter((word) => word !== '');
  const isExpression = words.length > 1 && words.every((word, index) => (index % 2 === 0 ? SPDX_IDS.has(word) : word === 'AND' || word === 'OR'));
  return isExpression ? [{ expression: text }] : [{ license: { name: text } }];
}
