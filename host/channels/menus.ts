// Tells channels with a `commands` handler what can be typed, so that their services can offer it: at their start, and whenever it changes. Owned by channel-life.ts.
import type { HandlerInput } from '../../schemas/channel.ts';
import { ruleOf } from '../pipeline/commands/address.ts';
import type { CommandTable } from '../pipeline/commands/registry.ts';
import type { Policy } from '../pipeline/policy.ts';

export type Menu = HandlerInput<'commands'>['commands'];

const MOST_COMMANDS = 100;
const MOST_CHARACTERS = 200;
/** Skills come and go in numbers, at a start above all: what they change is told together. */
const QUIET_MS = 1000;

/** What everybody may use; a menu is shown to all. Names first come first served, as the table has them. */
export function menuOf(table: CommandTable, { commands }: Pick<Policy, 'commands'>): Menu {
  const offered = table.all.filter(({ name, permission }) => {
    const rule = ruleOf(commands, name);
    return rule?.enabled !== false && (rule?.allow ?? permission) === 'everyone';
  });
  return offered.slice(0, MOST_COMMANDS).map(({ name, description }) => ({ name, description: description.slice(0, MOST_CHARACTERS) }));
}

export interface MenusParts {
  /** Channels that can be told now, with what they should know. */
  wanted(): ReadonlyMap<string, Menu>;
  /** Resolves with whether the channel took it. Never rejects. */
  tell(instance: string, menu: Menu): Promise<boolean>;
}

export class Menus implements Disposable {
  readonly #parts: MenusParts;
  /** What each channel has been told in this life of the host, as text. */
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #telling = false;

  constructor(parts: MenusParts) {
    this.#parts = parts;
  }

  /** Something that a menu is made of may have changed. */
  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#tellAll();
    }, QUIET_MS).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  /** One after the other; a channel that did not take it is told with the next change. */
  async #tellAll(): Promise<void> {
    if (this.#telling) return this.changed();
    this.#telling = true;
    try {
      for (const [instance, menu] of this.#parts.wanted()) {
        const text = JSON.stringify(menu);
        if (this.#told.get(instance) === text) continue;
        if (await this.#parts.tell(instance, menu)) this.#told.set(instance, text);
      }
    } finally {
      this.#telling = false;
    }
  }
}
