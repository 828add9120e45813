// Who may use which command, and who answers it: the operator's word, the word of who offers it, and names that lead nowhere.
import { describe, expect, it } from 'vitest';
import { addressOf } from '../../host/pipeline/commands/address.ts';
import { HOST_COMMANDS } from '../../host/pipeline/commands/host-commands.ts';
import { mayUse, type Speaker } from '../../host/pipeline/commands/permission.ts';
import { commandsOf } from '../../host/pipeline/commands/registry.ts';
import type { SkillEntry } from '../../host/pipeline/plugin-directory.ts';
import { policyOf } from '../../host/pipeline/policy.ts';
import { InstanceId } from '../../schemas/ids.ts';
import type { RoomPolicy } from '../../schemas/policy.ts';

const skill = (instance: string, commands: NonNullable<NonNullable<SkillEntry['triggers']>['commands']>): SkillEntry => ({ instance: InstanceId.of(instance), wallMs: 1000, available: true, triggers: { commands } });
const table = commandsOf([skill('first', ['plain', { name: 'audit', description: 'Shows the books.', permission: 'owners' }]), skill('second', ['plain', 'reset', { name: 'other', description: 'Other.', usage: '<x>' }])]);

const ada: Speaker = { sender: { id: 'ada' }, senderVerified: true };
const bea: Speaker = { sender: { id: 'bea' }, senderVerified: true };
const claimed: Speaker = { sender: { id: 'ada' } };

describe('mayUse', () => {
  it.each<[string, boolean, string, Speaker, RoomPolicy]>([
    ['a command that nobody offers', true, 'nothing', claimed, {}],
    ['a command of a skill', true, 'plain', claimed, {}],
    ['a command of owners where there are none', false, 'audit', ada, {}],
    ['a command of owners as an owner', true, 'audit', ada, { admit: { owners: ['ada'] } }],
    ['a command of owners as somebody else', false, 'audit', bea, { admit: { owners: ['ada'] } }],
    ['a command of owners under a claimed name', false, 'audit', claimed, { admit: { owners: ['ada'] } }],
    ['a command of the host that is for owners, whoever offers it too', false, 'reset', bea, { admit: { owners: ['ada'] } }],
    ['what the operator opens', true, 'reset', claimed, { commands: { reset: { allow: 'everyone' } } }],
    ['what the operator closes', false, 'plain', ada, { commands: { plain: { allow: 'owners' } } }],
    ['what the operator closes, as an owner', true, 'plain', ada, { admit: { owners: ['ada'] }, commands: { plain: { allow: 'owners' } } }],
    ['what is for a list, on it', true, 'plain', bea, { commands: { plain: { allow: ['bea'] } } }],
    ['what is for a list, not on it', false, 'plain', ada, { commands: { plain: { allow: ['bea'] } } }],
    ['what is for a list, under a claimed name', false, 'plain', claimed, { commands: { plain: { allow: ['ada'] } } }],
    ['what is for an empty list', false, 'plain', ada, { commands: { plain: { allow: [] } } }],
    ['what is for a list, as an owner', true, 'plain', ada, { admit: { owners: ['ada'] }, commands: { plain: { allow: ['bea'] } } }],
    ['a name that every object has', true, 'constructor', claimed, { commands: {} }],
    ['a sender whose name is a part of an owner’s', false, 'audit', { sender: { id: 'ad' }, senderVerified: true }, { admit: { owners: ['ada'] } }],
  ])('decides on %s: %s', (_, allowed, name, speaker, policy) => {
    expect(mayUse(name, speaker, policyOf(policy, 'c'), table)).toBe(allowed);
  });
});

describe('commandsOf', () => {
  it('lists the host’s first, then each name once, of the skill that is asked first', () => {
    expect(table.all.map(({ name, skill: by = 'host' }) => `${by}/${name}`)).toEqual([...HOST_COMMANDS.map(({ name }) => `host/${name}`), 'first/audit', 'second/other', 'first/plain']);
    expect(table.find('other')).toEqual({ name: 'other', description: 'Other.', usage: '<x>', permission: 'everyone', skill: 'second' });
    expect(table.find('constructor')).toBeUndefined();
  });
});

describe('addressOf', () => {
  const read = (text: string, policy: RoomPolicy) => addressOf({ text, mentions: [] }, policyOf(policy, 'c'));

  it('takes a command that is not enabled for a text, and a mention in it for a mention', () => {
    const policy: RoomPolicy = { admit: { names: ['bot'] }, commands: { dance: { enabled: false } } };
    expect(read('/dance', policy)).toEqual({ parsed: { kind: 'text' }, wasMentioned: false });
    expect(read('@bot /dance', policy)).toEqual({ parsed: { kind: 'text' }, wasMentioned: true });
    expect(read('/sing', policy).parsed.kind).toBe('command');
    expect(read('/constructor', policy).parsed.kind).toBe('command');
  });

  it('makes nothing new of a text that is only a text', () => {
    expect(read('hello', {})).toBe(read('good morning', {}));
  });
});
