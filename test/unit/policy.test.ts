// What holds for one conversation, where the enablement says one thing and its room another.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyOf } from '../../host/pipeline/policy.ts';

describe('policyOf', () => {
  const channel = { admit: { senderPerSecond: 20, denySenders: ['mallory'] }, rooms: { ops: { admit: { senderPerSecond: 5 } } } };

  it('is what the enablement says where no room speaks', () => {
    expect(policyOf(channel, 'lobby').admit).toEqual({ senderPerSecond: 20, denySenders: ['mallory'] });
  });

  it('is what the room says, key by key', () => {
    expect(policyOf(channel, 'ops').admit).toEqual({ senderPerSecond: 5, denySenders: ['mallory'] });
  });

  it('is what host.json says where neither speaks', () => {
    const withDefaults = { ...channel, defaults: { admit: { senderPerSecond: 100, senderBurst: 7 } } };
    expect(policyOf(withDefaults, 'lobby').admit).toEqual({ senderPerSecond: 20, senderBurst: 7, denySenders: ['mallory'] });
    expect(policyOf(withDefaults, 'ops').admit).toEqual({ senderPerSecond: 5, senderBurst: 7, denySenders: ['mallory'] });
  });

  it('is resolved once for a channel, and once for a room', () => {
    expect(policyOf(channel, 'lobby')).toBe(policyOf(channel, 'elsewhere'));
    expect(policyOf(channel, 'ops')).toBe(policyOf(channel, 'ops'));
    expect(policyOf(channel, 'ops')).not.toBe(policyOf(channel, 'lobby'));
  });

  it('refuses nothing where nobody says anything', () => {
    expect(policyOf({}, 'lobby').admit).toEqual({});
  });

  it.for(['constructor', '__proto__', 'toString', 'OPS', 'Ops', 'ops ', ' ops', 'ops\u200b', 'ops\u0000', '\uff4fps', 'o\u0440s', ''])('takes a conversation named %j for no room but its own', (conversation) => {
    expect(policyOf(channel, conversation)).toBe(policyOf(channel, 'lobby'));
  });

  it('takes a room whose name every object has for that conversation, and no other', () => {
    const rooms = JSON.parse('{ "__proto__": { "admit": { "senderPerSecond": 1 } } }') as Record<string, object>;
    expect(policyOf({ rooms }, '__proto__').admit).toEqual({ senderPerSecond: 1 });
    expect(policyOf({ rooms }, 'lobby').admit).toEqual({});
    expect(policyOf({ rooms }, 'admit').admit).toEqual({});
  });

  it('relaxes a gate for a room by its exact name and for nobody else, whatever the names', () => {
    const name = fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }), fc.constantFrom('__proto__', 'constructor', 'ops', 'OPS', '\u00e9', 'e\u0301'));
    const variant = fc.constantFrom((text: string) => text, (text: string) => text.toUpperCase(), (text: string) => text.normalize('NFD'), (text: string) => ` ${text}`, (text: string) => `${text}\u200d`);
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 5 }), name, variant, (rooms, other, vary) => {
        const relaxed = { rooms: Object.fromEntries(rooms.map((room) => [room, { gates: { keeper: 'skip' } } as const])) };
        for (const conversation of [...rooms, other].map(vary)) expect(policyOf(relaxed, conversation).gates.has('keeper')).toBe(rooms.includes(conversation));
      }),
      { numRuns: 1000, seed: 20_261_121 },
    );
  });

  it('gives a gate whose name every object has only what is said of it', () => {
    const { gates } = policyOf({ gates: { keeper: 'flag' } }, 'lobby');
    for (const gate of ['constructor', 'valueof', 'tostring']) expect(gates.get(gate)).toBeUndefined();
  });

  it('tells names apart that look the same: composed and decomposed letters are two conversations', () => {
    const composed = { rooms: { 'caf\u00e9': { admit: { senderPerSecond: 1 } } } };
    expect(policyOf(composed, 'cafe\u0301').admit).toEqual({});
  });
});
