// host.json as the control plane shows and changes it.
import { Type, type Static } from 'typebox';
import { closed, text } from './closed.ts';
import { Digest, Timestamp } from './ids.ts';

const reason = Type.Optional(text(1000, { description: 'For the history.' }));
const baseHash = { ...Digest, description: 'The `hash` of what the edit was made from.' };
const settings = Type.Record(Type.String(), Type.Unknown());

/** One setting in which two files differ; absent is not written. */
export const ConfigChange = closed({ path: text(1000), before: Type.Optional(Type.Unknown()), after: Type.Optional(Type.Unknown()) });
export type ConfigChange = Static<typeof ConfigChange>;

export const ConfigView = closed({
  hash: { ...Digest, description: 'Of the file as it is.' },
  written: { ...settings, description: 'What the file says.' },
  settings: { ...settings, description: 'What it comes to: defaults and the environment included.' },
  overrides: Type.Array(closed({ name: text(200), path: text(1000) }), { description: 'Settings that the environment decides.' }),
  restart: Type.Array(text(1000), { description: 'Settings of the file that the running host does not have yet.' }),
});
export type ConfigView = Static<typeof ConfigView>;

export const PatchConfigBody = closed({ baseHash, patch: { ...settings, description: 'RFC 7396 JSON merge patch.' }, reason });
export type PatchConfigBody = Static<typeof PatchConfigBody>;

export const ApplyConfigBody = closed({ baseHash, config: settings, reason });
export type ApplyConfigBody = Static<typeof ApplyConfigBody>;

export const ValidateConfigBody = closed({ config: settings });
export type ValidateConfigBody = Static<typeof ValidateConfigBody>;

export const RollbackConfigBody = closed({ baseHash, hash: { ...Digest, description: 'Of the file to go back to, from the history.' }, reason });
export type RollbackConfigBody = Static<typeof RollbackConfigBody>;

/** What an edit came to. */
export const ConfigEdited = closed({
  hash: Digest,
  changes: Type.Array(ConfigChange),
  restart: Type.Array(text(1000), { description: 'Of them, those that take effect with the next start.' }),
});
export type ConfigEdited = Static<typeof ConfigEdited>;

export const ConfigValidation = closed({ ok: Type.Boolean(), code: Type.Optional(text(100)), message: Type.Optional(text(4000)), fix: Type.Optional(text(2000)), changes: Type.Array(ConfigChange), restart: Type.Array(text(1000)) });
export type ConfigValidation = Static<typeof ConfigValidation>;

export const ConfigHistoryItem = closed({ at: Timestamp, actor: text(200), hash: Digest, reason, changes: Type.Array(ConfigChange, { description: 'From the one before.' }) });
export type ConfigHistoryItem = Static<typeof ConfigHistoryItem>;
