// The resources of the API, in the order documentation shows them: each the first part of its paths below /api/v1. document.ts uses it.

const TAGS: Readonly<Record<string, string>> = {
  status: 'The host as a whole.',
  events: 'What happens, as it happens.',
  plugins: 'Instances of plugins: what they are, and their life.',
  packages: 'Signed contents: who runs them, and what was said of them.',
  quarantine: 'Instances that were stopped, and the evidence.',
  scans: 'What the scanner said of packages.',
  approvals: 'What reviewers decided.',
  revocations: 'Keys, packages and versions that count no more.',
  messages: 'What came and went, and a way to write.',
  sessions: 'Messages that belong together.',
  lanes: 'Messages of a session that wait, and the one in work.',
  deliveries: 'Messages on their way out.',
  'dead-letters': 'Work that ended without success, and how to put it back.',
  costs: 'What plugins take, and their budgets.',
  stats: 'How things went over days and months.',
  audit: 'The transparency log.',
  config: 'host.json.',
  backups: 'Copies of home and data.',
  export: 'What is stored, for another host.',
  pairing: 'Who was let in, and invites.',
  tokens: 'Who may use this API, and for what.',
  host: 'For load balancers, monitors and programs that read this: answers without a token.',
  channels: "What channels answer: every plugin's own affair.",
};

/** Paths that belong to another resource than they begin with. */
const ELSEWHERE: Readonly<Record<string, string>> = { reload: 'plugins' };

/** The resource of a path below /api/v1. */
export function tagOf(path: string): string {
  const first = path.split('/')[1] ?? '';
  return ELSEWHERE[first] ?? first;
}

/** Those that a document uses; one without a sentence here has none there, which the linter tells. */
export function tagList(used: ReadonlySet<string>): readonly { readonly name: string; readonly description?: string }[] {
  const unknown = [...used].filter((name) => !Object.hasOwn(TAGS, name));
  return [...Object.keys(TAGS).filter((name) => used.has(name)), ...unknown].map((name) => ({ name, ...(TAGS[name] === undefined ? {} : { description: TAGS[name] }) }));
}
