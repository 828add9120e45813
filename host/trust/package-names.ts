// The grammar of file names in a package: plain ASCII paths that mean one file on every system, and only the files a package may hold. Used by package.ts and pack.
import { ENVELOPE_FILE } from './dsse.ts';

export const MANIFEST_FILE = 'plugin.json';
export const SCRIPT_FILE = 'plugin.js';
export const SBOM_FILE = 'sbom.cdx.json';
export const README_FILE = 'README.md';
export const ASSETS_FOLDER = 'assets/';

const FIXED: ReadonlySet<string> = new Set([MANIFEST_FILE, SCRIPT_FILE, README_FILE, SBOM_FILE, ENVELOPE_FILE]);
const NAME_BYTES = 200;

/** Letters, digits and `_ . - + @`, not starting with a dot or dash, not ending with a dot: no traversal, no drive, no hidden file, nothing invisible or look-alike (attacks 90 zip-slip, 93 name-tricks). */
const SEGMENT = /^[A-Za-z0-9_@+][A-Za-z0-9_.@+-]*(?<!\.)$/;

/** Names that Windows takes for devices, whatever follows the first dot. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** Why this path cannot be in a package, or undefined when it can. The path itself is unsafe to print. */
export function nameProblem(name: string): string | undefined {
  const problem = pathProblem(name);
  if (problem !== undefined) return problem;
  if (!FIXED.has(name) && !(name.startsWith(ASSETS_FOLDER) && name.length > ASSETS_FOLDER.length)) return `${quoted(name)} has no place in a package, which holds plugin.json, plugin.js, README.md, sbom.cdx.json, plugin.dsse.json and assets/`;
  return undefined;
}

/** Why this path, of a file or folder, does not mean one place below its root on every system; undefined when it does. */
export function pathProblem(name: string): string | undefined {
  if (name.length > NAME_BYTES) return `a path is longer than ${NAME_BYTES} bytes`;
  const segments = name.split('/');
  if (!segments.every((segment) => SEGMENT.test(segment))) return `the path ${quoted(name)} is not plain: folders and files are named with letters, digits and _ . - + @`;
  if (segments.some((segment) => DEVICE.test(segment))) return `the path ${quoted(name)} names a device on some systems`;
  return undefined;
}

/** Two paths that one system takes for two files and another for one, or that are file and folder at once. */
export function collisionProblem(names: Iterable<string>): string | undefined {
  const seen = new Map<string, string>();
  for (const name of names) {
    for (let end = name.indexOf('/'); ; end = name.indexOf('/', end + 1)) {
      const path = end < 0 ? name : `${name.slice(0, end)}/`;
      const folded = path.replace(/\/$/, '').toLowerCase();
      const other = seen.get(folded);
      if (other !== undefined && (other !== path || end < 0)) return `${quoted(other)} and ${quoted(path)} are the same path on some systems`;
      seen.set(folded, path);
      if (end < 0) break;
    }
  }
  return undefined;
}

/** For messages: what is not printable ASCII is spelled out. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
