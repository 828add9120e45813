// Turns and pauses of what leaves, on a clock that stands still; and what an answer says a remote calls a message.
import { describe, expect, it } from 'vitest';
import { Rates } from '../../host/outbound/rate.ts';
import { remoteIdIn } from '../../host/outbound/remote-id.ts';
import { maySend, outboundRules, textLimits, type Rate } from '../../host/outbound/rules.ts';
import { aHandClock } from '../support/hand-clock.ts';

const instance = (perSecond: number, burst = 1): Rate => ({ scope: 'instance', perSecond, burst });
const room = (perSecond: number, burst = 1): Rate => ({ scope: 'conversation', perSecond, burst });

describe('a rate', () => {
  it('gives a burst at once, then one turn after the other, to everybody in the order they asked', () => {
    const rates = new Rates(aHandClock());
    expect(['a', 'b', 'c', 'd', 'e'].map((conversation) => rates.take('line', conversation, [instance(4, 2)]))).toEqual([0, 0, 250, 500, 750]);
  });

  it('fills again while nobody asks, and never beyond its burst', () => {
    const clock = aHandClock();
    const rates = new Rates(clock);
    const take = () => rates.take('line', 'c', [instance(4, 2)]);
    expect([take(), take(), take()]).toEqual([0, 0, 250]);
    clock.turn(60_000);
    expect([take(), take(), take()]).toEqual([0, 0, 250]);
    clock.turn(250);
    expect(take()).toBe(250);
  });

  it('keeps instances apart', () => {
    const rates = new Rates(aHandClock());
    expect([rates.take('one', 'c', [instance(1)]), rates.take('two', 'c', [instance(1)])]).toEqual([0, 0]);
  });

  it('of a room counts beside that of its instance: the later turn is the turn', () => {
    const rates = new Rates(aHandClock());
    const both = [instance(10), room(1)];
    expect([rates.take('line', 'slow', both), rates.take('line', 'slow', both), rates.take('line', 'other', [instance(10)])]).toEqual([0, 1000, 200]);
  });
});

describe('a pause', () => {
  it('holds for its instance until its moment, whatever shorter one comes after it', () => {
    const clock = aHandClock();
    const rates = new Rates(clock);
    rates.pause('line', clock.now() + 5000);
    rates.pause('line', clock.now() + 1000);
    expect([rates.pausedForMs('line', 60_000), rates.pausedForMs('other', 60_000)]).toEqual([5000, 0]);
    clock.turn(4999);
    expect(rates.pausedForMs('line', 60_000)).toBe(1);
    clock.turn(1);
    expect(rates.pausedForMs('line', 60_000)).toBe(0);
  });

  it('is no longer than is bearable, also when the clock was set back', () => {
    const clock = aHandClock();
    const rates = new Rates(clock);
    rates.pause('line', clock.now() + 365 * 24 * 3600 * 1000);
    expect(rates.pausedForMs('line', 900_000)).toBe(900_000);
  });
});

describe('the rules for one conversation', () => {
  it('are the room’s, else the instance’s; rates of both count', () => {
    expect(outboundRules({ perSecond: 10, burst: 3, send: 'deny', pause: 'conversation' }, { perSecond: 1, send: 'allow' })).toEqual({ send: 'allow', pause: 'conversation', rates: [instance(10, 3), room(1)] });
    expect(outboundRules()).toEqual({ rates: [] });
  });

  it.each<[Parameters<typeof maySend>[0]['send'], Parameters<typeof maySend>[1], boolean]>([
    [undefined, undefined, true],
    ['allow', 'group', true],
    ['deny', 'direct', false],
    ['deny', undefined, false],
    [{ group: 'deny' }, 'group', false],
    [{ group: 'deny' }, 'direct', true],
    [{ group: 'deny' }, undefined, false],
    [{ group: 'allow' }, undefined, true],
  ])('with send %j let something leave into a room of kind %s: %s', (send, kind, may) => {
    expect(maySend(send === undefined ? {} : { send }, kind)).toBe(may);
  });

  it.each([
    [undefined, undefined, undefined],
    [{ characters: 4000 }, undefined, { characters: 4000 }],
    [undefined, { lines: 17 }, { lines: 17 }],
    [{ characters: 4000, lines: 20 }, { characters: 2000, bytes: 8000 }, { characters: 2000, bytes: 8000, lines: 20 }],
    [{ characters: 2000 }, { characters: 4000 }, { characters: 2000 }],
  ])('narrow %j by %j to %j', (declared, narrowed, limits) => {
    expect(textLimits(declared, narrowed)).toEqual(limits);
  });
});

describe('what a remote calls a message', () => {
  it.each<[string, string | undefined, string, string | undefined]>([
    ['text', '{"id":"a1"}', '/id', 'a1'],
    ['a number', '{"result":{"message_id":42}}', '/result/message_id', '42'],
    ['in a list', '{"ids":["x","y"]}', '/ids/1', 'y'],
    ['under a name with slashes and tildes', '{"a/b":{"c~d":"z"}}', '/a~1b/c~0d', 'z'],
    ['nowhere', '{"id":"a1"}', '/name', undefined],
    ['on a prototype', '{}', '/constructor/name', undefined],
    ['empty', '{"id":""}', '/id', undefined],
    ['too long', `{"id":"${'x'.repeat(257)}"}`, '/id', undefined],
    ['an object', '{"id":{}}', '/id', undefined],
    ['in no JSON', 'ok', '/id', undefined],
    ['in no body', undefined, '/id', undefined],
  ])('is found where the channel says: %s', (_, body, pointer, id) => {
    expect(remoteIdIn(body, pointer)).toBe(id);
  });
});
