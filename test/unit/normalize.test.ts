// The canonical text of a message: same input, same text, whatever the channel; and what no message may be.
import { describe, expect, it } from 'vitest';
import { normalize, normalizeText } from '../../host/pipeline/stages/normalize.ts';
import { NO_POLICY } from '../../host/pipeline/policy.ts';
import { sanitizeText } from '../../host/pipeline/stages/sanitize.ts';
import type { InboundContext } from '../../host/pipeline/context.ts';
import { withIds } from '../support/ids.ts';

function aContext(arrived: Partial<InboundContext['arrived']>): InboundContext {
  return withIds<InboundContext>({
    messageId: 'm', instance: 'door', policy: NO_POLICY, stages: [], scopes: [], flags: [], receivedAtMs: 0, sessionKey: 's', reaches: [], dedupeKey: ['k'], text: '', media: [], standing: 'claimed', parsed: { kind: 'text' }, wasMentioned: false, repliesToBot: false, hops: 0,
    arrived: { id: 'i', conversation: 'c', sender: { id: 's' }, text: 'hi', ...arrived },
  });
}

describe('normalize', () => {
  it.each([
    ['composes letters', 'e\u0301', 'é'],
    ['makes one kind of line end', 'a\r\nb\rc', 'a\nb\nc'],
    ['drops control characters but keeps tab and line feed', 'a\u0000b\u0007c\td\ne\u009bf', 'abc\td\nef'],
    ['replaces half surrogates', 'a\ud800b', 'a\ufffdb'],
    ['leaves plain text alone', 'plain text, 100 %', 'plain text, 100 %'],
  ])('%s', (_, raw, expected) => {
    expect(normalizeText(raw)).toBe(expected);
    expect(normalizeText(normalizeText(raw))).toBe(expected);
  });

  it.each([
    ['an empty message', { text: ' \n ' }],
    ['a message that grows beyond its bound in bytes', { text: '€'.repeat(30_000) }],
    ['ids that are not text', { conversation: 'c\ud800' }],
  ])('refuses %s', (_, arrived) => {
    expect(normalize.run(aContext(arrived))).toMatchObject({ decision: 'refuse', code: 'INGRESS_BODY' });
  });

  it('lets a message without text but with media pass', () => {
    expect(normalize.run(aContext({ text: '', media: [{ kind: 'image', url: 'https://x.example/a.png' }] }))).toMatchObject({ decision: 'pass' });
  });
});

describe('sanitize', () => {
  it('takes out what reorders or hides text and leaves joiners that scripts and emoji need', () => {
    expect(sanitizeText('pay \u202eevil\u202c now\u200b\ufeff')).toBe('pay evil now');
    expect(sanitizeText('👩\u200d🚀')).toBe('👩\u200d🚀');
  });

  it('never cuts a character in half', () => {
    const cut = sanitizeText('€'.repeat(30_000));
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(65_536);
    expect(cut).toMatch(/^€+$/);
  });
});
