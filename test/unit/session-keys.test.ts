// Keys of sessions: one for each session and no other, whatever senders put into their ids. The rules one by one are data, in test/fixtures/session-keys/.
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { MOST_KEY_CHARACTERS, sessionKey, type SessionFacts } from '../../host/pipeline/sessions/session-keys.ts';
import { Session } from '../../schemas/message.ts';
import { SessionScope } from '../../schemas/policy.ts';
import { compileSchema } from '../../host/schema.ts';
import { encodeKey } from '../../host/store/keys.ts';

const SCOPES: readonly SessionScope[] = ['conversation', 'main', 'peer', 'channel-peer', 'account-channel-peer'];

/** Few letters, so that ids often look like parts of keys, and like each other. */
const id = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', ':', '%', '3', 'A', '@'), minLength: 1, maxLength: 5 }),
  fc.constantFrom('peer:a', 'identity:a', '@main', '@peer:a:a', '%3A', 'a:peer', 'a:identity', '\ud800', '\ud801', '\u00e9', 'e\u0301', 'A', 'a'.repeat(256), `${'a'.repeat(255)}b`, ':'.repeat(256)),
);
const name = fc.constantFrom('a', 'peer', 'identity', 'main', 'thread', 'channel', 'account', 'long');
const facts: fc.Arbitrary<SessionFacts> = fc.record({ instance: name, conversation: id, sender: id, thread: id, account: id, identity: name }, { requiredKeys: ['instance', 'conversation', 'sender'] });
const scope = fc.constantFrom(...SCOPES);

/** What a scope tells sessions apart by, as a value of its own. */
function toldApartBy(of: SessionScope, { instance, conversation, sender, thread, account, identity }: SessionFacts): string {
  const who = identity === undefined ? { sender } : { identity };
  switch (of) {
    case 'conversation':
      return JSON.stringify({ of, instance, conversation, thread });
    case 'main':
      return JSON.stringify({ of });
    case 'peer':
      return JSON.stringify({ of, ...(identity === undefined ? { instance, sender } : { identity }) });
    case 'channel-peer':
      return JSON.stringify({ of, instance, who });
    case 'account-channel-peer':
      return JSON.stringify({ of, instance, account, who });
    default:
      return of satisfies never;
  }
}

describe('the key of a session', () => {
  it('is the same for what its scope does not tell apart, and different for everything else', () => {
    fc.assert(fc.property(scope, facts, scope, facts, (one, here, other, there) => {
      expect(sessionKey(one, here) === sessionKey(other, there)).toBe(toldApartBy(one, here) === toldApartBy(other, there));
    }), { numRuns: 5000 });
  });

  it('is told apart from the key of the same facts with one of them changed a little', () => {
    fc.assert(fc.property(scope, facts, fc.constantFrom('conversation', 'sender', 'thread', 'account'), id, (of, here, which, changed) => {
      const there = { ...here, [which]: changed };
      expect(sessionKey(of, here) === sessionKey(of, there)).toBe(toldApartBy(of, here) === toldApartBy(of, there));
    }), { numRuns: 5000 });
  });

  it('fits its bound, the schema of a session and a key of the store', () => {
    fc.assert(fc.property(scope, facts.filter(({ conversation, sender, thread = '', account = '' }) => `${conversation}${sender}${thread}${account}`.isWellFormed()), (of, here) => {
      const key = sessionKey(of, here);
      expect(key.length).toBeLessThanOrEqual(MOST_KEY_CHARACTERS);
      expect(compileSchema(Session.properties.key).explain(key)).toBeUndefined();
      expect(() => encodeKey('sessions', ['default', key])).not.toThrow();
    }));
  });

  it('is tried for every scope there is', () => {
    for (const each of SCOPES) expect(compileSchema(SessionScope).is(each)).toBe(true);
    expect(SCOPES.toSorted()).toEqual(((SessionScope as { enum?: string[] }).enum ?? []).toSorted());
  });
});
