// A diff of two releases as a review reads: what needs a decision first, then what got less, then everything else. Called by `diff`.
import type { DiffSide, FactChange, ReleaseDiff } from '../../schemas/release-diff.ts';
import type { ScanFinding } from '../../schemas/scan.ts';
import { plainLine, type Io } from './io.ts';

/** Names, descriptions and paths are the author's: every line is made safe for a terminal. */
export function diffLines(io: Io, diff: ReleaseDiff): string {
  const sections: readonly (readonly [string, readonly string[]])[] = [
    [io.tone('red', 'Needs a new approval'), diff.reasons.map((each) => io.tone('red', `! ${plainLine(each, 600)}`))],
    ['May do less, which takes effect at once', diff.narrower.map((each) => io.tone('green', `- ${plainLine(each, 600)}`))],
    ['Says otherwise', diff.identity.map(factLine)],
    ['Tools', toolLines(diff.tools)],
    ['Config it takes', diff.config.map(factLine)],
    ['Files', fileLines(diff.files)],
    ['Parts (SBOM)', componentLines(diff.sbom)],
    ['Scanner', scanLines(diff.scan)],
  ];
  const told = sections.filter(([, lines]) => lines.length > 0).map(([title, lines]) => [io.tone('bold', title), ...lines.map((line) => `  ${line}`)].join('\n'));
  return [head(io, diff), ...told].join('\n\n');
}

function head(io: Io, diff: ReleaseDiff): string {
  const { before, after } = diff;
  const isSameContent = before.packageDigest === after.packageDigest;
  const isSamePower = Object.values({ ...diff.powers, ...diff.powers.limits, ...diff.powers.hooks }).every((each) => !Array.isArray(each) || each.length === 0);
  return [
    io.tone('bold', plainLine(before.id === after.id ? `${after.id}  ${before.version} → ${after.version}` : `${before.id} ${before.version} → ${after.id} ${after.version}`)),
    ...sideLines(io, 'before', before),
    ...sideLines(io, 'after', after),
    ...(isSameContent ? ['The content is the same, byte for byte.'] : []),
    ...(isSamePower ? [io.tone(diff.needsApproval ? 'yellow' : 'green', `Nothing it may do has changed${diff.needsApproval ? ', but it needs a new approval' : ''}.`)] : []),
  ].join('\n');
}

function sideLines(io: Io, name: string, { packageDigest, keyid, issuedAt, verified, problem }: DiffSide): string[] {
  const line = `  ${name.padEnd(6)}  ${packageDigest}  signed by ${keyid ?? 'nobody'}${issuedAt === null ? '' : `, issued ${issuedAt}`}`;
  if (verified === null) return [line, io.tone('yellow', `          its signature was not checked: name trust records with --trust, or a home with --home`)];
  return verified ? [line] : [line, io.tone('red', `          does not verify: ${plainLine(problem ?? '', 400)}`)];
}

const factLine = ({ fact, before, after }: FactChange): string => {
  const show = (value: string | null) => (value === null ? 'nothing' : plainLine(value, 160));
  return `${plainLine(fact)}: ${before === null ? `new: ${show(after)}` : after === null ? `gone: ${show(before)}` : `${show(before)} → ${show(after)}`}`;
};

function toolLines({ added, removed, changed }: ReleaseDiff['tools']): string[] {
  return [...added.map((name) => `+ ${name}`), ...removed.map((name) => `- ${name}`), ...changed.map(({ name, what }) => `~ ${name}: ${what.join(', ')}`)];
}

function fileLines({ added, removed, changed }: ReleaseDiff['files']): string[] {
  const hex = (sha256: string) => sha256.slice(0, 16);
  return [
    ...added.map(({ name, bytes, sha256 }) => plainLine(`+ ${name}  ${bytes} bytes  ${hex(sha256)}`, 300)),
    ...removed.map(({ name, bytes, sha256 }) => plainLine(`- ${name}  ${bytes} bytes  ${hex(sha256)}`, 300)),
    ...changed.map(({ name, before, after }) => plainLine(`~ ${name}  ${before.bytes} → ${after.bytes} bytes  ${hex(before.sha256)} → ${hex(after.sha256)}`, 300)),
  ];
}

function scanLines(scan: ReleaseDiff['scan']): string[] {
  if (!scan || (scan.added.length === 0 && scan.removed.length === 0)) return [];
  const line = (sign: string, { rule, outcome, file, message }: ScanFinding) => plainLine(`${sign} ${outcome}  ${rule}  ${file}: ${message}`, 300);
  return [`${scan.before} → ${scan.after}`, ...scan.added.map((each) => line('+', each)), ...scan.removed.map((each) => line('-', each))];
}

function componentLines({ added, removed, changed }: ReleaseDiff['sbom']): string[] {
  return [
    ...added.map(({ name, version }) => plainLine(`+ ${name} ${version}`, 300)),
    ...removed.map(({ name, version }) => plainLine(`- ${name} ${version}`, 300)),
    ...changed.map(({ name, before, after }) => plainLine(`~ ${name} ${before} → ${after}`, 300)),
  ];
}
