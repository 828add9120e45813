// What a channel's manifest declares against what its script registered, in both directions. channel-life.ts judges each new sandbox by it.
import { OPTIONAL_ABILITIES, REQUIRED_ABILITIES, type Ability } from '../../schemas/abilities.ts';

export interface Mismatch {
  /** Declared, and no handler is there. */
  readonly missing: readonly Ability[];
  /** A handler is there, and nobody declared it. `receive` and `send` need no word: a channel that only receives registers both and declares one. */
  readonly undeclared: readonly Ability[];
}

/** What host and reviewer may count on: declared, and there. */
export function effectiveAbilities(declared: readonly Ability[], handlers: readonly string[]): Ability[] {
  return declared.filter((ability) => handlers.includes(ability));
}

/** Undefined when both sides agree. */
export function mismatchOf(declared: readonly Ability[], handlers: readonly string[]): Mismatch | undefined {
  const missing = declared.filter((ability) => !handlers.includes(ability));
  const undeclared = OPTIONAL_ABILITIES.filter((ability) => handlers.includes(ability) && !declared.includes(ability));
  return missing.length === 0 && undeclared.length === 0 ? undefined : { missing, undeclared };
}

/** Without one of the two it is no channel, whatever else it can do. */
export function lacksRequired({ missing }: Mismatch): boolean {
  return REQUIRED_ABILITIES.some((ability) => missing.includes(ability));
}

/** Continues "The channel '<instance>' is not what its manifest says:". */
export function mismatchInWords({ missing, undeclared }: Mismatch): string {
  const parts = [
    ...(missing.length > 0 ? [`channel.abilities declares ${listed(missing)}, which its script does not register`] : []),
    ...(undeclared.length > 0 ? [`its script registers ${listed(undeclared)}, which channel.abilities does not declare`] : []),
  ];
  return parts.join('; and ');
}

const listed = (abilities: readonly Ability[]) => abilities.map((ability) => `'${ability}'`).join(', ');
