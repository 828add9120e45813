// Property-based fuzzing of one door of the host: the same inputs in every run, more of them on request, and a failure that says how to keep it.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, expect, vi } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** Fixed, so that a change that turns CI red is the change that was made; GATEHOUSE_FUZZ_SEED looks elsewhere. */
const SEED = Number(process.env['GATEHOUSE_FUZZ_SEED'] ?? 20_261_121);
/** GATEHOUSE_FUZZ_RUNS multiplies the inputs tried. */
const TIMES = Number(process.env['GATEHOUSE_FUZZ_RUNS'] ?? 1);
const TIMEOUT_MS = 120_000;
/** So long a failure is made smaller: an input that makes the host wait costs seconds each time. */
const SHRINKING_MS = 30_000;

export interface Property<T> {
  /** How many inputs are tried; multiplied by GATEHOUSE_FUZZ_RUNS. */
  readonly runs: number;
  readonly given: fc.Arbitrary<T>;
  /** Always tried first: what was once found, and what nobody would find by chance. */
  readonly also?: readonly T[];
}

export interface Door {
  /** Tries the property inside a test: `check` throws or rejects for an input that breaks it. Rejects with the smallest such input that was found, and what to do with it. */
  holds<T>(property: Property<T>, check: (input: T) => void | Promise<void>): Promise<void>;
  /** Inputs that a test tried by itself. */
  tried(inputs: number): void;
}

/** Call it once in a test file; prints what was tried when the file is done. */
export function fuzzDoor(name: string): Door {
  let tried = 0;
  const startedAt = performance.now();
  vi.setConfig({ testTimeout: TIMEOUT_MS * Math.max(1, TIMES) });
  afterAll(() => {
    process.stdout.write(`fuzz ${name}: ${tried.toLocaleString('en')} inputs, seed ${SEED}, ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  });
  return {
    async holds({ runs, given, also = [] }, check) {
      let failedAt: number | undefined;
      const property = fc.asyncProperty(fc.tuple(given), async ([input]) => {
        if (failedAt !== undefined && performance.now() - failedAt > SHRINKING_MS) return;
        tried += 1;
        try {
          await check(input);
        } catch (broken) {
          failedAt ??= performance.now();
          throw broken;
        }
      });
      const numRuns = Math.max(also.length, Math.ceil(runs * TIMES));
      const details = await fc.check(property, { seed: SEED, numRuns, examples: also.map((each): [[typeof each]] => [[each]]) });
      if (details.failed) throw new Error(report(name, details), { cause: details.errorInstance });
    },
    tried(inputs) {
      tried += inputs;
    },
  };
}

function report<T>(door: string, { seed, counterexamplePath, numRuns, numShrinks, counterexample, errorInstance }: fc.RunDetails<[[T]]>): string {
  const title = (expect.getState().currentTestName ?? '').split(' > ').at(-1);
  const input = counterexample?.[0][0];
  const bytes = bytesOf(input);
  const file = join('evidence/fuzz', `${door}-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`);
  mkdirSync(join(ROOT, 'evidence/fuzz'), { recursive: true });
  writeFileSync(join(ROOT, file), bytes);
  return [
    `${door}: “${title}” does not hold, found by input ${numRuns} and made smaller ${numShrinks} times`,
    `  input   ${shown(input).slice(0, 4000)}`,
    `  because ${errorInstance instanceof Error ? errorInstance.message : String(errorInstance)}`,
    `  again   GATEHOUSE_FUZZ_SEED=${seed} npx vitest run test/fuzz/${door}.test.ts -t ${JSON.stringify(title)}   (path ${counterexamplePath})`,
    `  keep it its bytes are in ${file}: copy them to test/fixtures/corpora/${door}/<name>, and say in cases.json there what must become of them`,
  ].join('\n');
}

/** Bytes that are text as text, so that a person sees what it is. */
function shown(input: unknown): string {
  if (input instanceof Uint8Array) return isUtf8(input) ? `bytes of ${JSON.stringify(Buffer.from(input).toString())}` : `latin1 ${JSON.stringify(Buffer.from(input).toString('latin1'))}`;
  if (typeof input === 'object' && input !== null && 'bytes' in input) return `${shown(input.bytes)} with ${fc.stringify({ ...input, bytes: '…' })}`;
  return fc.stringify(input);
}

/** Bytes and texts as they are, `bytes` of a structured input, anything else as JSON. */
function bytesOf(input: unknown): Uint8Array | string {
  if (typeof input === 'string' || input instanceof Uint8Array) return input;
  if (typeof input === 'object' && input !== null && 'bytes' in input && input.bytes instanceof Uint8Array) return input.bytes;
  return fc.stringify(input);
}
