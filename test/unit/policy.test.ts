// What holds for one conversation, where the enablement says one thing and its room another.
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

  it('refuses nothing where nobody says anything', () => {
    expect(policyOf({}, 'lobby').admit).toEqual({});
  });

  it('does not take a conversation for a room because of a name every object has', () => {
    expect(policyOf(channel, 'constructor').admit).toEqual({ senderPerSecond: 20, denySenders: ['mallory'] });
  });
});
