// What a channel can do, by name: each ability is one handler, and each handler one ability. Without imports, so that a plugin's bundle may carry it.

/** The two every channel is made of. */
export const REQUIRED_ABILITIES = ['receive', 'send'] as const;

/** What a channel may do beside them. For each one it lacks, the host has a fixed answer of its own. */
export const OPTIONAL_ABILITIES = ['start', 'stop', 'health', 'verify', 'sanitize', 'media', 'edit', 'react', 'typing', 'stream', 'threads', 'mentions', 'commands', 'directory', 'lookup'] as const;

export const ABILITIES = [...REQUIRED_ABILITIES, ...OPTIONAL_ABILITIES] as const;

export type Ability = (typeof ABILITIES)[number];
export type OptionalAbility = (typeof OPTIONAL_ABILITIES)[number];
