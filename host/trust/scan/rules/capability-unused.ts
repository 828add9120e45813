// Powers that the manifest asks for and nothing in the code can use: room for the next version, or for whoever takes the plugin over. A note: a reviewer asks why, and nobody waits for the answer.
import { mayUse, wordsOf } from '../capability-uses.ts';
import { MANIFEST_FILE } from '../../package-names.ts';
import { lineOf, quote, type ContentRule } from '../finding.ts';

export const capabilityUnused: ContentRule = {
  name: 'capability-unused',
  *look({ script, manifest: { capabilities = [] }, files }) {
    if (script.nodes.length === 0 || capabilities.length === 0) return;
    const words = wordsOf(script);
    const text = Buffer.from(files.get(MANIFEST_FILE) ?? []).toString('utf8');
    for (const capability of capabilities) {
      if (mayUse(capability.name, words)) continue;
      const unused = capability.name === 'secret.use' ? `the secret ${quote(capability.handle)}` : quote(capability.name);
      yield { outcome: 'note', risk: 'low', file: MANIFEST_FILE, line: lineOf(text, `"${capability.name}"`), message: `It asks for ${unused} and nothing in its script uses that.`, fix: 'Take it out of plugin.json: whatever is granted can be misused.' };
    }
  },
};
