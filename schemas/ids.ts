// The grammars of every name that crosses a border: plugin, publisher, instance, tool, digest, key id.
import { Type, type Static } from 'typebox';

const SEGMENT = '[a-z][a-z0-9-]{0,39}';

/** `publisher.name[.more[.more]]`: 2 to 4 segments, at most 128 characters; the first segment is the publisher. */
export const PluginId = Type.String({ pattern: `^${SEGMENT}(\\.${SEGMENT}){1,3}$`, maxLength: 128, description: 'two to four names in lower case joined by dots, as acme.weather' });
export type PluginId = Static<typeof PluginId>;

/** First segment of a plugin id, and the name in a trust record. */
export const Publisher = Type.String({ pattern: `^${SEGMENT}$`, maxLength: 40, description: 'a name in lower case: a letter, then letters, digits and dashes, 40 in all' });
export type Publisher = Static<typeof Publisher>;

export const INSTANCE = '^[a-z][a-z0-9-]{0,63}$';

/** One running enablement. */
export const InstanceName = Type.String({ pattern: INSTANCE, maxLength: 64, description: 'a name in lower case: a letter, then letters, digits and dashes, 64 in all' });
export type InstanceName = Static<typeof InstanceName>;

/** A tool's own name; it is addressed from outside as `<plugin id>/<tool>`. */
export const ToolName = Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$', maxLength: 64, description: 'a name in lower case: a letter, then letters, digits and dashes, 64 in all' });
export const ToolAddress = Type.String({ pattern: `^${SEGMENT}(\\.${SEGMENT}){1,3}/[a-z][a-z0-9-]{0,63}$`, maxLength: 200, description: 'a plugin and its tool, as acme.weather/forecast' });

/** The name by which plugin and operator speak of a secret; never its value. */
export const SecretHandle = Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$', maxLength: 64, description: 'a name in lower case: a letter, then letters, digits and dashes, 64 in all' });

/** Semantic version 2.0.0 without build metadata (https://semver.org). */
export const Version = Type.String({
  pattern: '^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(-[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$',
  maxLength: 64,
  description: 'a semantic version without build metadata, as 1.2.3 or 2.0.0-rc.1',
});

/** A semver range; its syntax is judged by the `semver` library when it is resolved. */
export const VersionRange = Type.String({ minLength: 1, maxLength: 128 });

/** `sha256:` and 64 lowercase hex digits. */
export const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: "'sha256:' and 64 hexadecimal digits in lower case" });

/** `ed25519:` and the first 32 hex digits of sha256 over the raw 32-byte public key. */
export const KeyId = Type.String({ pattern: '^ed25519:[0-9a-f]{32}$', description: "'ed25519:' and 32 hexadecimal digits in lower case" });

/** RFC 3339, UTC, milliseconds: `2026-11-21T08:00:00.000Z`. */
export const Timestamp = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$', description: 'a time in UTC with milliseconds, as 2026-11-21T08:00:00.000Z' });
export type Timestamp = Static<typeof Timestamp>;

/** A secure origin, `https://host[:port]`, lower case, no path. */
export const HttpsOrigin = Type.String({ pattern: '^https://[a-z0-9.-]+(:\\d{1,5})?$', maxLength: 300, description: 'an https origin in lower case without a path, as https://api.example.com' });

/** A command as it is registered; senders may write `_` for `-`, and capital letters. */
export const CommandName = Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$', maxLength: 40, description: 'a name in lower case: a letter, then letters, digits and dashes, 40 in all' });

// ---- Ids as the host passes them around

declare const brand: unique symbol;

/** Text that is known to be one kind of id; no other kind can take its place. */
type Branded<Name extends string> = string & { readonly [brand]: Name };

interface Brand<Name extends string> {
  is(text: string): text is Branded<Name>;
  /** Throws TypeError for text that is no such id. */
  of(text: string): Branded<Name>;
}

function brandOf<const Name extends string>(name: Name, fits: RegExp): Brand<Name> {
  const is = (text: string): text is Branded<Name> => fits.test(text);
  return {
    is,
    of(text) {
      if (is(text)) return text;
      throw new TypeError(`${JSON.stringify(text.slice(0, 80))} is not ${name}`);
    },
  };
}

/** What a remote calls something: any text of 1 to 256 characters, counted as the schemas count them. */
const EXTERNAL = /^[^]{1,256}$/u;

export const InstanceId = brandOf('an instance id', new RegExp(INSTANCE));
export type InstanceId = Branded<'an instance id'>;

export const ConversationId = brandOf('a conversation id', EXTERNAL);
export type ConversationId = Branded<'a conversation id'>;

export const SenderId = brandOf('a sender id', EXTERNAL);
export type SenderId = Branded<'a sender id'>;

export const ThreadId = brandOf('a thread id', EXTERNAL);
export type ThreadId = Branded<'a thread id'>;

/** The host's own id of a message, as `host/ids.ts` makes them (RFC 9562, version 7). */
export const MessageId = brandOf('a message id', /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
export type MessageId = Branded<'a message id'>;

/** Which lane answers; made from instance, scope and ids of the remote. */
export const SessionKey = brandOf('a session key', /^[^]{1,600}$/u);
export type SessionKey = Branded<'a session key'>;
