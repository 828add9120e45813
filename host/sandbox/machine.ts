// What confinement needs to know of the machine: who the host is, which programs there are, what Node is made of. Tests pass another.
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Machine {
  readonly isRoot: boolean;
  readonly node: string;
  /** `x64`, `arm64`, … as Node names it. */
  readonly architecture: string;
  /** Absolute path of a program, or undefined when it is not installed. */
  program(name: string): string | undefined;
  /** Absolute paths of the shared libraries this Node runs with, the dynamic loader among them. */
  libraries(): readonly string[];
}

export function thisMachine(): Machine {
  const folders = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'])].filter((folder) => folder.startsWith('/'));
  return {
    isRoot: process.getuid?.() === 0,
    node: realpathSync(process.execPath),
    architecture: process.arch,
    program: (name) => folders.map((folder) => join(folder, name)).find(isExecutable),
    libraries: () => (knownLibraries ??= loadedLibraries()),
  };
}

let knownLibraries: readonly string[] | undefined;

/** By the names they were asked for, as the loader of a new process will ask again. Addons of the host (`.node`) are no libraries. */
function loadedLibraries(): readonly string[] {
  const settings: { excludeNetwork?: boolean } & object = process.report;
  const { excludeNetwork = false } = settings;
  settings.excludeNetwork = true; // a report looks up the names of peers otherwise
  try {
    const report = process.report.getReport();
    const loaded: readonly unknown[] = 'sharedObjects' in report && Array.isArray(report.sharedObjects) ? report.sharedObjects : [];
    return loaded.filter((path) => typeof path === 'string').filter((path) => /^\/.*\.so(\.[\d.]+)?$/.test(path));
  } finally {
    settings.excludeNetwork = excludeNetwork;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
