// Cases as data: every case of test/fixtures/<area>/*.json, held against the code its area speaks of. A case is { name, input, expected }; add one by writing it down.
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { effectiveAbilities, lacksRequired, mismatchInWords, mismatchOf } from '../../host/channels/abilities.ts';
import { GatehouseError } from '../../host/errors.ts';
import { unreadOf } from '../../host/pipeline/ingress/unread.ts';
import { toProblem } from '../../host/problem.ts';
import type { Ability } from '../../schemas/abilities.ts';
import { chunk } from '../../host/outbound/chunk.ts';
import { tidyBlock } from '../../host/media/blocks.ts';
import { grammarOf } from '../../host/pipeline/commands/grammar.ts';
import { isMentioned } from '../../host/pipeline/commands/mentions.ts';
import { parseCommand } from '../../host/pipeline/commands/parse.ts';
import { normalizeText } from '../../host/pipeline/stages/normalize.ts';
import { PLAIN_RULES, sanitizeFor } from '../../host/pipeline/sanitizing/sanitizing.ts';
import type { TextRules } from '../../host/pipeline/sanitizing/pass.ts';
import type { Dialect } from '../../schemas/dialects.ts';
import { inspect, type Claim } from '../../host/media/inspect.ts';
import type { MediaBlock } from '../../schemas/media.ts';
import { fitMedia, type Fitting, type Outgoing } from '../../host/outbound/media-fallback.ts';
import { bytesOf, type Recipe } from '../support/media-bytes.ts';
import { scanLines } from '../support/scan-cases.ts';
import { shaped } from '../support/shaped.ts';
import type { TextLimits } from '../../schemas/text-limits.ts';
import { sessionKey, type SessionFacts } from '../../host/pipeline/sessions/session-keys.ts';
import { isOver, resetRule } from '../../host/pipeline/sessions/session-resets.ts';
import type { AdmitPolicy, SessionReset, SessionScope } from '../../schemas/policy.ts';
import { judgeCase, type GateCase } from '../support/gate-cases.ts';
import { verifyRequest } from '../../host/pipeline/stages/verify.ts';
import type { IngressVerification } from '../../schemas/ingress.ts';

interface Case<Input = unknown> {
  readonly name: string;
  readonly input: Input;
  readonly expected: unknown;
}

/** A request as it came, the key as the operator keeps it, and the host's clock in seconds since the epoch. */
interface SignedCase {
  readonly scheme: IngressVerification;
  readonly key: string | null;
  readonly at: number;
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** What each area's input is given to; what comes back, as JSON, is what `expected` says. */
const AREAS: Readonly<Record<string, (input: never) => unknown>> = {
  abilities: ({ declared, handlers }: { declared: Ability[]; handlers: string[] }) => {
    const mismatch = mismatchOf(declared, handlers);
    return { effective: effectiveAbilities(declared, handlers), ...mismatch, ...(mismatch ? { says: mismatchInWords(mismatch), starts: !lacksRequired(mismatch) } : {}) };
  },
  unread: (failed: Parameters<typeof unreadOf>[1]) => {
    const { failure, code, fields } = unreadOf('door', failed);
    const { status, detail } = toProblem(new GatehouseError(code, fields));
    return { failure, code, status, detail };
  },
  chunking: ({ text, limits }: { text: string; limits: TextLimits }) => chunk(text, limits),
  gates: (one: GateCase) => judgeCase(one),
  'media-blocks': (block: MediaBlock) => tidyBlock(block),
  // The text as it arrives, so that the cases say what becomes of it on every channel.
  commands: ({ text, ...admit }: { text: string } & AdmitPolicy) => parseCommand(normalizeText(text), grammarOf(admit)),
  mentions: ({ text, mentions = [], ...admit }: { text: string; mentions?: string[] } & AdmitPolicy) => isMentioned({ text: normalizeText(text), mentions }, grammarOf(admit)),
  'media-fallback': ({ text = '', media, ...fitting }: Partial<Outgoing> & Fitting & { readonly media: readonly MediaBlock[] }) => fitMedia({ text, media }, fitting),
  'media-inspect': ({ bytes, ...claim }: Claim & { readonly bytes: Recipe }) => inspect(bytesOf(bytes), claim),
  'queue-modes': shaped,
  sanitize: (input: string | ({ dialect: Dialect; text: string } & Partial<TextRules>)) => {
    const { dialect, text, ...rules } = typeof input === 'string' ? { dialect: 'plain' as const, text: input } : input;
    const sanitized = sanitizeFor(dialect, text, { ...PLAIN_RULES, ...rules });
    // A text that is ready is left alone, whoever asks again.
    if (sanitized.ok) expect(sanitizeFor(dialect, sanitized.text, { ...PLAIN_RULES, ...rules })).toMatchObject({ ok: true, text: sanitized.text });
    return sanitized.ok ? sanitized.text : { refused: sanitized.refused };
  },
  // A line for each finding of any rule: a case that expects none is clean in every respect.
  scan: scanLines,
  'session-keys': ({ scope, facts }: { scope: SessionScope; facts: SessionFacts }) => sessionKey(scope, facts),
  'session-resets': ({ reset, lastAt, at }: { reset: SessionReset; lastAt: string; at: string }) => isOver(resetRule(reset), Date.parse(lastAt), Date.parse(at)),
  verify: ({ scheme, key, at, body, ...request }: SignedCase) => {
    const verified = verifyRequest(scheme, { ...request, body: Buffer.from(body) }, { secret: () => key ?? undefined, nowMs: at * 1000 });
    return verified.ok ? 'passes' : verified.cause;
  },
};

const FIXTURES = join(import.meta.dirname, '../fixtures');
const files = globSync('*/*.json', { cwd: FIXTURES, exclude: (path) => ['corpora', 'ed25519', 'schemas'].includes(path) }).toSorted();

describe('conformance', () => {
  it('has an area for every folder of cases, and cases for every area', () => {
    expect([...new Set(files.map((file) => dirname(file)))].toSorted()).toEqual(Object.keys(AREAS).toSorted());
  });

  for (const file of files) {
    const area = AREAS[dirname(file)];
    describe(`${dirname(file)}: ${basename(file, '.json')}`, () => {
      const cases = readCases(join(FIXTURES, file));

      it('gives every case a name of its own', () => {
        expect(cases.map(({ name }) => name).filter((name, index, all) => all.indexOf(name) !== index)).toEqual([]);
      });

      it.for(cases)('$name', async ({ input, expected }) => {
        const got = await area?.(input as never);
        expect(JSON.parse(JSON.stringify(got ?? null))).toEqual(expected);
      });
    });
  }
});

/** An array of cases, or `{ "cases": […] }` where the file has something to say beside them. */
function readCases(path: string): readonly Case[] {
  const read = JSON.parse(readFileSync(path, 'utf8')) as readonly Case[] | { readonly cases: readonly Case[] };
  const cases = Array.isArray(read) ? read : (read as { readonly cases: readonly Case[] }).cases;
  if (cases.length === 0) throw new Error(`${path} has no cases`);
  for (const each of cases) if (typeof each.name !== 'string' || !('input' in each) || !('expected' in each)) throw new Error(`${path}: a case is { name, input, expected }, not ${JSON.stringify(each)}`);
  return cases;
}
