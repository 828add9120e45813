import { createHash } from 'node:crypto';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Their subject is who gets the processor when everybody wants it: another test beside them would want it too. */
const ALONE = ['test/security/neighbours.test.ts', 'test/security/whole-host.test.ts', 'test/unit/sandbox-niceness.test.ts'];

/** Minutes long. Begun last, one of them would keep a worker at work while the other has nothing left. */
const LONG = [/test\/chaos\//, /test\/fuzz\/(api|websocket|http|media)\./, /test\/security\/(sandbox-|taken-over|watchdog)/, /test\/scenario\/(outbound-gateway|message-send|lanes-recovery|media-inbound)\./, /test\/unit\/lane-watchdog\./];

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
    // One more than the cores of a small machine: most of the time tests wait, for processes, disks and clocks.
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { shuffle: { files: false, tests: true }, sequencer: LongFirst },
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: 'evidence/tests.json' }]] : ['default'],
    projects: [
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts', 'plugins/*/test/**/*.test.ts', 'plugin-sdk/test/**/*.test.ts'], exclude: [...EXCLUDE, ...ALONE], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'alone', include: ALONE, exclude: EXCLUDE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
