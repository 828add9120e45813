// Secrets inside of a package: whoever has the package has them. Also how code that steals brings the key of its own mailbox along.
import { entropyOf, quote, type Content, type ContentRule, type Sighting } from '../finding.ts';
import { keyName, memberName, type AnyNode, type Script } from '../script.ts';
import { SCRIPT_FILE } from '../../package-names.ts';
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

/** Formats whose own beginning says what they are, and long enough that no word fits one by accident. What may stand before keeps each pattern linear: a run of such characters is tried once. */
const FORMATS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a private key', /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|[\s"'+`,]){0,12}[A-Za-z0-9+/]{24}/g],
  ['an access key of Amazon', /(?<![A-Za-z0-9_-])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])/g],
  ['a token of GitHub', /(?<![A-Za-z0-9_-])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,90})(?![A-Za-z0-9])/g],
  ['a token of GitLab', /(?<![A-Za-z0-9_-])glpat-[A-Za-z0-9_-]{20}/g],
  ['a token of npm', /(?<![A-Za-z0-9_-])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])/g],
  ['a token of Slack', /(?<![A-Za-z0-9_-])xox[abeoprs]-[0-9A-Za-z-]{20,200}/g],
  ['an address of Slack that takes messages from anybody', /hooks\.slack\.com\/services\/T[A-Z0-9]{6,12}\/B[A-Z0-9]{6,12}\/[A-Za-z0-9]{20,30}/g],
  ['an address of Discord that takes messages from anybody', /discord(?:app)?\.com\/api\/webhooks\/\d{16,20}\/[A-Za-z0-9_-]{60,80}/g],
  ['the token of a Telegram bot', /(?<![0-9])\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/g],
  ['a key of Stripe', /(?<![A-Za-z0-9_-])[rs]k_live_[0-9A-Za-z]{24,120}/g],
  ['a key of a model provider', /(?<![A-Za-z0-9_-])sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{40,200}/g],
  ['a key of Google', /(?<![A-Za-z0-9_-])AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])/g],
  ['a secret of Google', /(?<![A-Za-z0-9_-])(?:GOCSPX-[0-9A-Za-z_-]{28}|ya29\.[0-9A-Za-z_-]{40,300})/g],
  ['a key of SendGrid', /(?<![A-Za-z0-9_-])SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}/g],
  ['a token of this host', /(?<![A-Za-z0-9_-])ght_[A-Za-z0-9-]{8,64}_[A-Za-z0-9_-]{32,64}/g],
  ['a signed token', /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{12,2000}\.eyJ[A-Za-z0-9_-]{12,4000}\.[A-Za-z0-9_-]{32,1000}/g],
];

/** What documentation puts where a secret would stand. */
const PLACEHOLDER = /example|your|xxxx|\*\*\*\*|0000000|1234567|abcdef|changeme|placeholder|redacted|dummy|sample|<|\{\{|\$\{/i;

function* knownFormats({ text, file, placeOf }: Passage): Iterable<Sighting> {
  for (const [what, pattern] of FORMATS) {
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
