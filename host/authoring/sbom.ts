// What a bundle is made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): no times and no random ids, so the same bundle has the same list. Used by build.ts.
import { createHash } from 'node:crypto';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import type { Bundle } from './bundle.ts';

export function softwareBillOfMaterials({ id, version, license }: PluginManifest, { script, packages }: Bundle): string {
  const self = `${id}@${version}`;
  const components = packages.map((each) => {
    const url = packageUrl(each.name, each.version);
    return { type: 'library', 'bom-ref': url, name: each.name, version: each.version, ...(each.license === undefined ? {} : { licenses: [{ license: { name: each.license } }] }), purl: url };
  });
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': self,
        name: id,
        version,
        hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(script).digest('hex') }],
        licenses: [{ license: { name: license } }],
      },
    },
    components,
    dependencies: [{ ref: self, dependsOn: components.map((each) => each.purl) }],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** `pkg:npm/%40scope/name@version` (https://github.com/package-url/purl-spec). */
function packageUrl(name: string, version: string): string {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${encodeURIComponent(version)}`;
}
