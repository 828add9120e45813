// Secrets inside of a package: whoever has the package has them. Also how code that steals brings the key of its own mailbox along.
import { entropyOf, quote, type Content, type ContentRule, type Sighting } from '../finding.ts';
import { keyName, memberName, type AnyNode, type Script } from '../script.ts';
import { SCRIPT_FILE } from '../../package-names.ts';
import { SECRET_FORMATS } from '../../../secret-formats.ts';
import { otherTexts, type Passage } from '../texts.ts';

export const embeddedSecret: ContentRule = {
  name: 'embedded-secret',
  *look({ script, ...content }) {
    for (const passage of everything(script, content)) yield* knownFormats(passage);
    yield* suspiciousValues(script);
  },
};

const FIX = 'Revoke it where it was made, ask for `secret.use` in plugin.json, and let the operator keep the value.';

/** The script as it lies there: a secret in a comment is out, too. */
function* everything({ text, at }: Script, content: Content): Iterable<Passage> {
  yield { text, file: SCRIPT_FILE, placeOf: at };
  yield* otherTexts(content, { withReadme: true });
}

/** What documentation puts where a secret would stand. */
const PLACEHOLDER = /example|your|xxxx|\*\*\*\*|0000000|1234567|abcdef|changeme|placeholder|redacted|dummy|sample|<|\{\{|\$\{/i;

function* knownFormats({ text, file, placeOf }: Passage): Iterable<Sighting> {
  for (const [what, pattern] of SECRET_FORMATS) {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      if (PLACEHOLDER.test(found)) continue;
      yield { outcome: 'warn', risk: what === 'a private key' ? 'critical' : 'high', file, ...placeOf(index), message: `It holds ${what} (${masked(found)}).`, fix: FIX };
    }
  }
}

/** Enough to find it again, too little to use it. */
const masked = (secret: string) => quote(`${secret.slice(0, 8)}…`);

const SECRET_NAME = /(?:secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?secret|auth[_-]?token|access[_-]?token|bearer|credential)/i;

/** A value that looks like chance, under a name that says that it is a secret. */
function* suspiciousValues(script: Script): Iterable<Sighting> {
  for (const node of script.nodes) {
    const [name, value] = assignment(node, script);
    if (name === undefined || value?.type !== 'Literal' || typeof value.value !== 'string') continue;
    if (!SECRET_NAME.test(name) || !looksRandom(value.value)) continue;
    yield { outcome: 'warn', risk: 'medium', ...script.at(value.start), message: `The value of ${quote(name)} looks like a secret (${quote(`${value.value.slice(0, 4)}…`)}).`, fix: FIX };
  }
}

function assignment(node: AnyNode, script: Script): readonly [name: string | undefined, value: AnyNode | null | undefined] {
  switch (node.type) {
    case 'VariableDeclarator':
      return [node.id.type === 'Identifier' ? node.id.name : undefined, node.init];
    case 'Property':
      return [keyName(node, script), node.value];
    case 'PropertyDefinition':
      return [node.key.type === 'Identifier' ? node.key.name : undefined, node.value];
    case 'AssignmentExpression':
      return [node.left.type === 'Identifier' ? node.left.name : node.left.type === 'MemberExpression' ? memberName(node.left, script) : undefined, node.right];
    default:
      return [undefined, undefined];
  }
}

/** Letters and digits mixed as no word is, and more of them than a word has. */
function looksRandom(value: string): boolean {
  if (value.length < 20 || value.length > 512 || !/^[A-Za-z0-9+/=._~-]+$/.test(value) || PLACEHOLDER.test(value)) return false;
  const words = value.split(/[-_.~]/);
  if (words.length > 1 && words.filter((word) => /^[A-Za-z]{2,}$/.test(word)).length >= words.length / 2) return false;
  const digits = value.match(/\d/g)?.length ?? 0;
  const letters = value.match(/[A-Za-z]/g)?.length ?? 0;
  return digits >= 3 && letters >= 3 && entropyOf(value) >= 3.5;
}
