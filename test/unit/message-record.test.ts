// How a message is stored: its record of stages packed into one line, and read back as it was.
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import type { StageRecord } from '../../schemas/message.ts';
import { grammarOf } from '../../host/pipeline/commands/grammar.ts';
import { parseCommand } from '../../host/pipeline/commands/parse.ts';
import { packMessage, packStages, unpackMessage, unpackStages } from '../../host/store/message-record.ts';
import type { MessageRow } from '../../host/store/tables.ts';
import { withIds } from '../support/ids.ts';

const ROW = withIds<MessageRow>({
  id: '0193', instance: 'webchat', conversation: 'c', sessionKey: 'webchat:c', sender: { id: 's' }, direction: 'inbound', outcome: 'accepted', text: 'hi',
  mentions: [], media: [], flags: [], stages: [{ stage: 'normalize', decision: 'pass', durationMs: 0.25 }], at: '2026-11-21T00:00:00.000Z',
});

const records: fc.Arbitrary<StageRecord> = fc
  .record(
    {
      stage: fc.stringMatching(/^[a-z][a-z-]{0,20}$/),
      decision: fc.constantFrom('pass', 'deny', 'not-mine', 'give-up'),
      durationMs: fc.integer({ min: 0, max: 10_000_000 }).map((us) => us / 1000),
      reason: fc.string({ unit: 'binary', maxLength: 60 }),
      instance: fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/),
      cpuUs: fc.nat(),
    },
    { requiredKeys: ['stage', 'decision', 'durationMs'] },
  )
  .map((record) => ({ ...record })); // with a prototype, as rows have

describe('the stored form of a message', () => {
  it('gives every record of stages back, whatever its reason says', () => {
    fc.assert(fc.property(fc.array(records, { maxLength: 20 }), (stages) => {
      expect(unpackStages(packStages(stages))).toEqual(stages);
    }));
  });

  it('gives the message back, lists that are empty and lists that are not', () => {
    const full: MessageRow = { ...ROW, mentions: ['@a'], flags: ['masked'], media: [{ kind: 'image', url: 'https://x.example/a.png' }], room: { kind: 'group', name: 'Team' }, thread: 't', account: 'a' };
    for (const row of [ROW, full]) expect(unpackMessage(packMessage(row))).toEqual(row);
    expect(packMessage(ROW)).not.toHaveProperty('mentions');
  });

  it('reads a row that holds its record as objects, as earlier versions wrote it', () => {
    const { command: _, ...earlier } = ROW;
    expect(unpackMessage(earlier)).toEqual(ROW);
  });

  it.each(['/say hello', '/say', ' @bot /say  hello hello \n', '/a a', '/say 👩\u200d💻 \u00e9'])('keeps the command of %j as a place in its text', (text) => {
    const parsed = parseCommand(text, grammarOf({ names: ['bot'] }));
    if (parsed.kind !== 'command') throw new Error('it should be a command');
    const row: MessageRow = { ...ROW, text, command: { name: parsed.name, arguments: parsed.arguments } };
    expect(packMessage(row).command).toEqual([parsed.name, expect.any(Number), parsed.arguments.length]);
    expect(unpackMessage(packMessage(row))).toEqual(row);
  });

  it('writes less than a third of what the objects take', () => {
    const stages: StageRecord[] = ['verify', 'receive', 'normalize', 'admit', 'gate', 'moderate', 'accept'].map((stage) => ({ stage, decision: 'pass', durationMs: 1.234, instance: 'webhook', cpuUs: 34 }));
    expect(packStages(stages).length * 3).toBeLessThan(JSON.stringify(stages).length);
  });
});
