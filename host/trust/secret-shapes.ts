// What secrets of well-known makes look like: each issuer gives them a form of its own. Used by the security audit, and by whoever looks for secrets where none should be.

/** By what a person calls it. Anchored by length and alphabet, so that prose and identifiers do not fit. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  'a private key': /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/,
  'a Gatehouse token': /\bght_[0-9a-f]{16}_[A-Za-z0-9_-]{43}/,
  'an AWS access key': /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  'a GitHub token': /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})/,
  'a GitLab token': /\bglpat-[A-Za-z0-9_-]{20,}/,
  'an npm token': /\bnpm_[A-Za-z0-9]{36}\b/,
  'a Slack token': /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/,
  'a Slack webhook': /\bhooks\.slack\.com\/services\/T[A-Z0-9]+\/B[A-Z0-9]+\/[A-Za-z0-9]{16,}/,
  'a Stripe key': /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/,
  'a key of a model provider': /\bsk-[A-Za-z0-9_-]{20,}/,
  'a Google API key': /\bAIza[0-9A-Za-z_-]{35}/,
  'a Telegram bot token': /\b\d{8,10}:[A-Za-z0-9_-]{35}\b/,
  'a Discord bot token': /\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}/,
  'a JSON Web Token': /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/,
  'an address with a password': /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/:@]{3,}@/i,
};

/** What kind of secret stands in the text, to follow "it holds "; undefined where none is seen. Never says the secret. */
export function secretShapeOf(text: string): string | undefined {
  return Object.entries(SHAPES).find(([, shape]) => shape.test(text))?.[0];
}
