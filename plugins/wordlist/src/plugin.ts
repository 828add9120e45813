// Word list: a gate that refuses, masks or flags messages by the operator's words and phrases.
import { defineModeration, type Decision } from '@gatehouse/plugin-sdk';
import { compileRules, type CompiledRules, type Rule } from './rules.ts';
import { fold } from './fold.ts';
import { mask } from './mask.ts';

/** Both are always there: the host fills in the defaults of plugin.json. */
interface Config {
  readonly rules: readonly Rule[];
  readonly caseSensitive: boolean;
}

/** The host's bounds on a decision. */
const MOST_LABELS = 32;

/** One ligature can unfold to eighteen letters, so a message of the greatest length to twenty times that. None is honest, and judging must stay cheap. */
const MOST_UNFOLDED = 64 * 1024;

/** More than this in one message is not speech. Within both bounds the longest message took under 20 ms of CPU without a JIT; a gate has 50. */
const MOST_MASKED = 1000;

export default defineModeration<Config>({
  evaluate({ message }, ctx): Decision {
    const rules = rulesOf(ctx.config);
    if (message.text.normalize('NFKC').length > MOST_UNFOLDED) return { effect: 'deny', reason: 'The message unfolds to more text than can be judged.' };

    const found = rules.find(fold(message.text, rules.caseSensitive));
    const refusing = found.rules.find(({ effect }) => effect === 'deny');
    if (refusing) return { effect: 'deny', reason: refusing.reason ?? 'The message uses words that are not allowed here.' };

    const labels = [...new Set(found.rules.flatMap(({ effect, label }) => label ?? (effect === 'flag' ? ['wordlist'] : [])))].slice(0, MOST_LABELS);
    if (found.masked.length > 0) {
      const text = found.masked.length > MOST_MASKED ? null : mask(message.text, found.masked, rules.caseSensitive);
      if (text === null) return { effect: 'deny', reason: 'The message holds words that would have to be masked, in a way that they cannot be.' };
      return { effect: 'modify', text, reason: reasonFor(found.rules, 'mask', 'Words were masked.'), ...(labels.length > 0 ? { labels } : {}) };
    }
    return found.rules.length > 0 ? { effect: 'flag', labels, reason: reasonFor(found.rules, 'flag', 'Words were flagged.') } : { effect: 'pass' };
  },
});

const reasonFor = (rules: readonly Rule[], effect: Rule['effect'], otherwise: string) => rules.find((rule) => rule.effect === effect && rule.reason !== undefined)?.reason ?? otherwise;

// The host hands the same frozen configuration to every call, so its rules are compiled once per sandbox.
const compiled = new WeakMap<Config, CompiledRules>();

function rulesOf(config: Config): CompiledRules {
  let rules = compiled.get(config);
  if (!rules) compiled.set(config, (rules = compileRules(config.rules, config.caseSensitive)));
  return rules;
}
