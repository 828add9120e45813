import { createHash } from 'node:crypto';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Their subject is who gets the processor when everybody wants it: another test beside them would want it too. */
const ALONE = ['test/security/neighbours.test.ts', 'test/security/whole-host.test.ts', 'test/unit/sandbox-niceness.test.ts'];

/** Half a minute and more. Begun last, one of them would keep a worker at work while the others have nothing left. */
const LONG = [/test\/chaos\/(boundaries|kill-host|young-kill|queue-modes)\./, /test\/security\/(secrets|egress)\./, /test\/scenario\/(reload|lanes-recovery|dead-letters|webhook-replies|outbound-gateway|quickstart|escalation|message-send)\./, /test\/unit\/(cli-start|sandbox-endings|lane-watchdog)\./, /test\/(browser\/webchat-page|fuzz\/sanitize)\./];

/** They keep the processor busy: no more of them at once than a small machine has cores. */
const HEAVY = ['test/chaos/**/*.test.ts', 'test/security/**/*.test.ts'];

/** They look at one part each and wait for little: loading the host anew for every file would take longer than they do. None of them may replace modules (`vi.mock`). */
const SMALL = ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/fuzz/**/*.test.ts', 'plugins/*/test/**/*.test.ts', 'plugin-sdk/test/**/*.test.ts'];

const EXCLUDE = ['**/node_modules/**', '**/dist/**'];

/** Files in an order that follows from the seed, another one with each run, the long ones first. Tests within a file are shuffled by vitest. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { seed } = this.ctx.config.sequence;
    const placeOf = ({ moduleId }: TestSpecification) => (LONG.some((each) => each.test(moduleId)) ? '0' : '1') + createHash('sha256').update(`${seed} ${moduleId}`).digest('hex');
    const places = new Map(files.map((file) => [file, placeOf(file)]));
    return files.toSorted((a, b) => ((places.get(a) ?? '') < (places.get(b) ?? '') ? -1 : 1));
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { shuffle: { files: false, tests: true }, sequencer: LongFirst },
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: 'evidence/tests.json' }]] : ['default'],
    projects: [
      { extends: true, test: { name: 'heavy', include: HEAVY, exclude: [...EXCLUDE, ...ALONE], sequence: { groupOrder: 0 } } },
      // The others wait most of the time, for processes, disks and clocks.
      { extends: true, test: { name: 'small', include: SMALL, exclude: [...EXCLUDE, ...ALONE], isolate: false, maxWorkers: 4, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: [...EXCLUDE, ...HEAVY, ...ALONE, ...SMALL.filter((each) => each.startsWith('test/'))], maxWorkers: 4, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'alone', include: ALONE, exclude: EXCLUDE, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
});
