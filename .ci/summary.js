// Last line of .ci/run: the test runner's own counts, and failure when any step failed. `node .ci/summary.js <0|1>`.
import { readFileSync } from 'node:fs';

const stepsFailed = process.argv[2] !== '0';
let passed = 0;
let failed = 0;
try {
  const report = JSON.parse(readFileSync('evidence/tests.json', 'utf8'));
  passed = report.numPassedTests;
  failed = report.numFailedTests + report.numFailedTestSuites * (report.numFailedTests === 0 ? 1 : 0);
} catch {
  failed = 1;
  console.log('no test report was written');
}
if (stepsFailed && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
