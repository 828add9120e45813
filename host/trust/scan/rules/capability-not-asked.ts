// Powers that the code reaches for and the manifest does not ask for. The broker refuses them at run time; here the reader learns that somebody tried.
import { hiddenUses, originFetched, usesOf } from '../capability-uses.ts';
import { quote, type ContentRule } from '../finding.ts';
import { keyName } from '../script.ts';

export const capabilityNotAsked: ContentRule = {
  name: 'capability-not-asked',
  *look({ script, manifest: { capabilities = [] } }) {
    const asked = new Set<string>(capabilities.map(({ name }) => name));
    const origins = capabilities.flatMap((each) => (each.name === 'http.fetch' ? each.origins : []));
    const isOpen = origins.some((origin) => typeof origin !== 'string');
    for (const use of usesOf(script)) {
      const { capability, client, node, disguised } = use;
      const place = script.at(node.start);
      if (!asked.has(capability)) {
        yield {
          outcome: 'warn', risk: disguised ? 'high' : 'medium', ...place,
          message: `It uses ${client}${disguised ? ', spelled so that a search does not find it,' : ''} and does not ask for ${quote(capability)} in plugin.json.`,
          fix: 'Ask for it in plugin.json with a reason, or take the code out; as it is, the host refuses every such call.',
        };
      } else if (disguised) {
        yield { outcome: 'warn', risk: 'high', ...place, message: `It uses ${client}, spelled so that a search does not find it.`, fix: 'Have the author write the name out.' };
      }
      const origin = originFetched(use, script);
      if (origin !== undefined && asked.has(capability) && !isOpen && !origins.includes(origin)) {
        yield { outcome: 'warn', risk: 'medium', ...place, message: `It fetches from ${quote(origin)}, which is not among the origins it asks for.`, fix: 'Add the origin to plugin.json with a reason, or take the request out; as it is, the host refuses it.' };
      }
    }
    for (const node of hiddenUses(script)) {
      yield { outcome: 'warn', risk: 'high', ...script.at(node.start), message: 'It takes something out of ctx under a name that is made at run time, so that nobody can tell which power it uses.', fix: 'Have the author write out what it uses: `ctx.kv.get(…)`.' };
    }
    yield* secretsNotAsked();

    /** `secrets: ['api-key']` of a request or an action. */
    function* secretsNotAsked() {
      const handles = new Set(capabilities.flatMap((each) => (each.name === 'secret.use' ? [each.handle] : [])));
      for (const node of script.nodes) {
        if (node.type !== 'Property' || keyName(node, script) !== 'secrets' || node.value.type !== 'ArrayExpression') continue;
        for (const element of node.value.elements) {
          const handle = element && element.type !== 'SpreadElement' ? script.textOf(element) : undefined;
          if (handle === undefined || handles.has(handle)) continue;
          yield { outcome: 'warn' as const, risk: 'medium' as const, ...script.at(node.start), message: `It sends the secret ${quote(handle)} along and does not ask for it in plugin.json.`, fix: "Ask for `secret.use` with this handle and its audience, or take the secret out of the request." };
        }
      }
    }
  },
};
