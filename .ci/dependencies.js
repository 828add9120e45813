// Dependency policy, called by .ci/run: known advisories, licences, exact pins, install scripts. Exits 1 on any breach.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** Licences a published package may bring along; development tools may also be MPL-2.0, which stays in its own files. */
const ALLOWED = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', '0BSD', 'Unlicense', 'CC0-1.0', 'Python-2.0', 'PSF-2.0']);
const ALLOWED_IN_DEVELOPMENT = new Set([...ALLOWED, 'MPL-2.0']);
/** Advisories judged in SECURITY.md. */
const ACCEPTED_ADVISORIES = new Set(['GHSA-2jjq-x548-rhpv']);

const breaches = [];
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const root = JSON.parse(readFileSync('package.json', 'utf8'));

let packages = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (!path.includes('node_modules/') || entry.link) continue;
  packages += 1;
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const allowed = entry.dev || entry.devOptional ? ALLOWED_IN_DEVELOPMENT : ALLOWED;
  const licences = String(entry.license ?? 'none').replace(/[()]/g, '').split(' OR ');
  if (!licences.some((each) => allowed.has(each))) breaches.push(`${name}@${entry.version}: licence ${entry.license ?? 'none'} is not allowed`);
  if (!entry.integrity) breaches.push(`${name}@${entry.version}: no integrity in the lock file`);
  if (entry.hasInstallScript && !root.allowScripts[name]) breaches.push(`${name}@${entry.version}: has an install script that allowScripts does not name`);
}

const workspaces = ['package.json', 'host/package.json', 'plugin-sdk/package.json', ...readdirSync('plugins').map((each) => `plugins/${each}/package.json`)];
for (const file of workspaces) {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(file, 'utf8'));
  for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (!/^\d+\.\d+\.\d+/.test(range)) breaches.push(`${file}: ${name} is not pinned to one version ('${range}')`);
  }
}

console.log(`licences, pins, integrity, install scripts: ${packages} packages looked at`);
console.log(audit());
for (const breach of breaches) console.log(`breach: ${breach}`);
process.exitCode = breaches.length > 0 ? 1 : 0;

/** `npm audit`, where the registry answers it; says so where it does not. */
function audit() {
  let report;
  try {
    report = JSON.parse(execFileSync('npm', ['audit', '--json'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 120_000 }));
  } catch (error) {
    try {
      report = JSON.parse(String(error.stdout));
    } catch {
      return 'npm audit: not run (no answer)';
    }
  }
  if (!report.vulnerabilities) return 'npm audit: not run (this registry does not serve advisories)';
  const advisories = Object.values(report.vulnerabilities).flatMap((each) => each.via.filter((via) => typeof via === 'object'));
  const open = advisories.filter((each) => !ACCEPTED_ADVISORIES.has(String(each.url).split('/').pop()));
  for (const each of open) breaches.push(`advisory ${each.url} (${each.severity}): ${each.title}`);
  return `npm audit: ${advisories.length} advisories, ${open.length} not accepted in SECURITY.md`;
}
