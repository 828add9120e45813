// Notices that files of the home changed: enablements, trust, revocations, host.json, the packages in use and what else lies in plugins/. Says when they have settled; reload.ts then looks.
import { basename, join, relative } from 'node:path';
import type { FSWatcher } from 'chokidar';
import type { Clock } from '../clock.ts';
import { hostConfigPath, publisherFolders, type ResolvedConfig } from '../config.ts';
import { approvalsFolder } from '../registry/review-look.ts';
import { lockFile } from '../registry/lock.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import type { OwnWrites } from './own-writes.ts';
import { Settling } from './settling.ts';

export interface WatcherParts {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly ownWrites: OwnWrites;
  /** Something changed and has settled, or is not waited for any longer. */
  readonly onDue: () => void;
  /** The operating system does not tell of changes any more, or not of all. */
  readonly onTrouble: (problem: unknown) => void;
}

export interface Watcher extends AsyncDisposable {
  /** Whether this path, or anything below it, is still being written. */
  isUnsettled(path: string): boolean;
  /** Which packages, folders or archives, are in use from now on. */
  follow(packages: ReadonlySet<string>): void;
}

/** The library walks what it watches before it is ready; whoever waits for it waits no longer than this. */
const READY_MS = 5000;
/** Its handles are closed one by one; the host does not stay for them. */
const CLOSE_MS = 1000;
/** As deep as packages are watched; the files of a release may lie deeper, and the whole is verified at every look. */
const PACKAGE_DEPTH = 4;

/** Resolves once changes are noticed. What is there already is told like a change, so that nothing between the last look and this moment is missed. */
export async function openWatcher({ config, clock, ownWrites, onDue, onTrouble }: WatcherParts): Promise<Watcher> {
  const { watch } = await import('chokidar'); // after the start, and only if files are watched at all
  const { home, manifestsDir, dataDir, homeDataDir, reload: { quietMs, mostMs } } = config;
  const { revocations, signedList, signedLists } = trustFilesOf(config);
  const settings = hostConfigPath(home);
  const approvals = approvalsFolder(config);
  const urgent = new Set([revocations, signedList, settings]);
  const settling = new Settling({ clock, quietMs, mostMs, isUrgent: (path) => urgent.has(path) || isWithin(path, signedLists) || isWithin(path, approvals), onDue });
  const onChange = (path: string) => void ownWrites.holds(path).then((own) => own || settling.changed(path));
  const isNobodys = (path: string) => isDraft(path) || isWithin(path, dataDir) || isWithin(path, homeDataDir);

  const options = { persistent: false, ignorePermissionErrors: true };
  const manifests = watch([join(manifestsDir, 'plugins'), join(manifestsDir, 'trust'), approvals, lockFile(config), settings], { ...options, depth: 2, ignored: isDraft });
  // First-party builds put their trust record into the data directory; nothing else in there is anyone's to change.
  const trust = watch(publisherFolders(config).slice(1), { ...options, depth: 0, ignored: isDraft });
  const shelf = watch(join(home, 'plugins'), { ...options, depth: 0, ignored: isNobodys });
  const packages = watch([], { ...options, depth: PACKAGE_DEPTH, ignored: isNobodys });
  const all = [manifests, trust, shelf, packages];
  for (const each of all) each.on('all', (_event, path) => onChange(path)).on('error', onTrouble);
  await withinMs(READY_MS, Promise.all([manifests, trust, shelf].map(isReady)));

  let followed: ReadonlySet<string> = new Set();
  return {
    isUnsettled: (path) => settling.isUnsettled(path),
    follow(wanted) {
      const gone = [...followed].filter((path) => !wanted.has(path));
      const added = [...wanted].filter((path) => !followed.has(path) && !isWithin(dataDir, path) && !isWithin(manifestsDir, path));
      if (gone.length > 0) packages.unwatch(gone);
      if (added.length > 0) packages.add(added);
      followed = wanted;
    },
    async [Symbol.asyncDispose]() {
      settling[Symbol.dispose]();
      await withinMs(CLOSE_MS, Promise.all(all.map((each) => each.close())));
    },
  };
}

/** What Gatehouse writes beside a file or folder before it renames it into place. */
function isDraft(path: string): boolean {
  return /^\..*[.-][0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(basename(path));
}

/** The folder itself counts. */
function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!way.startsWith('..') && way !== path);
}

const isReady = (watcher: FSWatcher) => new Promise<void>((resolve) => watcher.once('ready', () => resolve()));

async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, late]);
  clearTimeout(timer);
}
