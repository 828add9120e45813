// How a new home enables the plugins that come with Gatehouse. What needs something from the operator first (webhook: a secret) is left out. Called by `init`.
import type { Choices } from './enable-package.ts';

/** By folder name. The concierge answers what nobody else did, so it is asked last. */
export const FIRST_PARTY_CHOICES: Readonly<Record<string, Choices>> = {
  webchat: { required: true },
  wordlist: { required: true },
  clock: {},
  echo: {},
  concierge: { order: 1000 },
};
