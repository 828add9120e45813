// What addressing looks like in one place: with which characters commands begin, and by which names the instance is called. Made from `admit`, once for each policy; parse.ts and mentions.ts read texts by it.
import type { AdmitPolicy } from '../../../schemas/policy.ts';

export interface Grammar {
  /** Longest first, so that `!!` is not read as `!`. */
  readonly prefixes: readonly string[];
  /** The one that examples are written with: the operator's first. */
  readonly prefix: string;
  /** In lower case. */
  readonly names: ReadonlySet<string>;
  /** An own name at the beginning, with what separates it from the rest; sticky. */
  readonly salutation: RegExp | undefined;
  /** An own name anywhere, as a word of its own. */
  readonly mention: RegExp | undefined;
}

const DEFAULT_PREFIXES = ['/'];

/** White space, and characters that show nothing: before a command they are not there. */
export const BLANK = String.raw`[\p{White_Space}\p{Default_Ignorable_Code_Point}]`;
/** What a word is made of, and what joins words to one: `ada@gatehouse`, `gatehouse-docs`. */
const WORD = String.raw`\p{L}\p{N}\p{M}_\-`;

const known = new WeakMap<AdmitPolicy, Grammar>();

export function grammarOf(admit: AdmitPolicy): Grammar {
  let grammar = known.get(admit);
  if (!grammar) known.set(admit, (grammar = compile(admit)));
  return grammar;
}

function compile({ prefixes = DEFAULT_PREFIXES, names = [] }: AdmitPolicy): Grammar {
  const spelt = names.map((name) => escaped(name.normalize('NFC'))).join('|');
  return {
    prefixes: prefixes.toSorted((a, b) => b.length - a.length),
    prefix: prefixes[0] ?? '',
    names: new Set(names.map((name) => name.normalize('NFC').toLowerCase())),
    // `@name`, `name,` and `name:` need white space behind them, or `gatehouse/docs` would be a command; `<@id>` and `<@id|label>`, as services write a mention, do not.
    salutation: spelt === '' ? undefined : new RegExp(String.raw`(?:<@!?(?:${spelt})(?:\|[^<>\n]{0,64})?>[,:]?|@?(?:${spelt})[,:]?\p{Default_Ignorable_Code_Point}*\p{White_Space})${BLANK}*`, 'iuy'),
    mention: spelt === '' ? undefined : new RegExp(String.raw`(?<![${WORD}@./#\\])@?(?:${spelt})(?![${WORD}@\\]|[./][${WORD}])`, 'iu'),
  };
}

const escaped = (name: string) => name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
