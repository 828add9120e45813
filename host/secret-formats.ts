// What secrets of well-known makes look like: each issuer gives them a form of its own. Used by the scanner, for packages, and by the security audit, for settings.

/** Formats whose own beginning says what they are, and long enough that no word fits one by accident. What may stand before keeps each pattern linear: a run of such characters is tried once. */
export const SECRET_FORMATS: readonly (readonly [what: string, pattern: RegExp])[] = [
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
  ['a token of this host', /(?<![A-Za-z0-9_-])gh[ti]_[A-Za-z0-9-]{8,64}_[A-Za-z0-9_-]{32,64}/g],
  ['a signed token', /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{12,2000}\.eyJ[A-Za-z0-9_-]{12,4000}\.[A-Za-z0-9_-]{32,1000}/g],
];

/** Whoever reads the address reads the password; in settings it is none of the forms above that is seen most. */
const ADDRESS_WITH_PASSWORD = /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]{0,100}:[^\s/:@]{3,200}@/i;

/** What kind of secret stands in a text of settings, to follow "it holds "; undefined where none is seen. Never says the secret. */
export function secretIn(text: string): string | undefined {
  // `search` begins at the beginning, whatever a pattern with /g did before.
  const known = SECRET_FORMATS.find(([, pattern]) => text.search(pattern) >= 0)?.[0];
  return known ?? (ADDRESS_WITH_PASSWORD.test(text) ? 'an address with a password' : undefined);
}
