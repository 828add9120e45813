// The one reader of commands: a normalised text and the grammar of its conversation in, what it is out. normalize.ts asks once for each message; skills, permissions and the host's own commands go by that answer.
//
// Linear in the text and without state: the same text is the same command on every channel. The rules are cases in test/fixtures/commands/.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { BLANK, type Grammar } from './grammar.ts';

/** Why something that begins like a command is none. Codes, because senders and tests go by them. */
export type Malformed = 'name-too-long' | 'name-look-alike' | 'arguments-too-long';

export type Parsed =
  /** `name` in lower case with dashes; `arguments` is a part of the text; `addressed`: it names this instance, as `@bot /help` and `/help@bot` do. */
  | { readonly kind: 'command'; readonly name: string; readonly arguments: string; readonly prefix: string; readonly addressed: boolean }
  /** `elsewhere`: a command for somebody else, as `/help@other`. Only an instance that knows its own names can tell. */
  | { readonly kind: 'text'; readonly elsewhere?: true }
  | { readonly kind: 'malformed'; readonly reason: Malformed };

const TEXT: Parsed = { kind: 'text' };
const ELSEWHERE: Parsed = { kind: 'text', elsewhere: true };

const blanks = new RegExp(`${BLANK}*`, 'uy');
const whiteSpace = /\p{White_Space}/gu;
const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const ADDRESSEE = /^[\p{L}\p{N}_.-]{1,64}$/u;
/** Longer words are not names that somebody misspelt. */
const MOST_NAME_LIKE = 256;

export function parseCommand(text: string, grammar: Grammar): Parsed {
  let at = endOf(blanks, text, 0);
  const greeted = grammar.salutation === undefined ? at : endOf(grammar.salutation, text, at);
  let addressed = greeted > at;
  at = greeted;
  const prefix = grammar.prefixes.find((each) => text.startsWith(each, at));
  if (prefix === undefined) return TEXT;
  at += prefix.length;
  if (text.startsWith(prefix, at)) return TEXT; // `//` says that no command is meant

  const end = wordEnd(text, at);
  const word = withoutTrailingInvisible(text.slice(at, end));
  const sign = word.indexOf('@');
  const name = sign === -1 ? word : word.slice(0, sign);
  if (!NAME.test(name)) return isLookAlike(name) ? { kind: 'malformed', reason: 'name-look-alike' } : TEXT;
  if (sign !== -1) {
    const to = word.slice(sign + 1);
    if (!ADDRESSEE.test(to)) return TEXT;
    if (!grammar.names.has(to.toLowerCase())) return grammar.names.size > 0 ? ELSEWHERE : TEXT;
    addressed = true;
  }
  if (name.length > BOUNDS.commandName) return { kind: 'malformed', reason: 'name-too-long' };
  const rest = trimmed(text, end);
  if (rest.length > BOUNDS.commandArguments) return { kind: 'malformed', reason: 'arguments-too-long' };
  return { kind: 'command', name: name.toLowerCase().replaceAll('_', '-'), arguments: rest, prefix, addressed };
}

/** Where a sticky pattern that fits at `from` ends; `from` when it does not. */
function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  const found = pattern.test(text) ? pattern.lastIndex : from;
  pattern.lastIndex = 0;
  return found;
}

function wordEnd(text: string, from: number): number {
  whiteSpace.lastIndex = from;
  const found = whiteSpace.exec(text);
  whiteSpace.lastIndex = 0;
  return found ? found.index : text.length;
}

const INVISIBLE = /^\p{Default_Ignorable_Code_Point}$/u;

/** `/help` with a zero-width space behind it, as keyboards leave it there. */
function withoutTrailingInvisible(word: string): string {
  let end = word.length;
  for (;;) {
    const low = end >= 2 && isLowSurrogate(word.charCodeAt(end - 1)) ? 2 : 1;
    if (end === 0 || !INVISIBLE.test(word.slice(end - low, end))) return word.slice(0, end);
    end -= low;
  }
}

const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

/** Ends of arguments that show nothing. Not the whole of the invisible: an emoji may end with a selector. */
const isBlankEnd = (character: string) => /^[\p{White_Space}\u200b\u200e\u200f\u2060\ufeff]$/u.test(character);

function trimmed(text: string, from: number): string {
  let start = from;
  let end = text.length;
  while (start < end && isBlankEnd(text.charAt(start))) start += 1;
  while (end > start && isBlankEnd(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** Only what a word of letters can be made of: `/usr/bin` and `/help?` are neither commands nor attempts at one. */
const WORD = /^[\p{L}\p{M}\p{N}\p{Default_Ignorable_Code_Point}_-]+$/u;
const LATIN = /[A-Za-z]/;
const OTHER_SCRIPT = /(?!\p{Script_Extensions=Latin})\p{L}/u;
const INVISIBLES = /\p{Default_Ignorable_Code_Point}/gu;

/**
 * Reads as one of our names and is none: full-width or mathematical letters, something invisible in between, a Cyrillic letter among Latin ones (UTS #39, mixed
 * scripts). A word that is wholly of another script, or Latin with accents, is somebody's word.
 */
function isLookAlike(name: string): boolean {
  if (name.length > MOST_NAME_LIKE) return false;
  if (NAME.test(name.normalize('NFKC').replaceAll(INVISIBLES, ''))) return true;
  return WORD.test(name) && LATIN.test(name) && OTHER_SCRIPT.test(name);
}
