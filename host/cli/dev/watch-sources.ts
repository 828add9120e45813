// Notices that an author saved something: everything of a plugin's folder but what builds and tests write. Called by dev.ts.
import { watch, type FSWatcher } from 'node:fs';

/** An editor writes a file in several steps, and a formatter once more. */
const QUIET_MS = 60;
const IGNORED = /(^|[/\\])(dist|node_modules|test|\.[^/\\]*)([/\\]|$)|~$/;

export interface SourceWatch {
  close(): void;
}

/** `onSave` is told once what was saved has come to rest. Throws what the system says where folders cannot be watched. */
export function watchSources(dir: string, onSave: (file: string) => void): SourceWatch {
  let rest: NodeJS.Timeout | undefined;
  const watcher: FSWatcher = watch(dir, { recursive: true }, (_event, file) => {
    if (file === null || IGNORED.test(file)) return;
    clearTimeout(rest);
    rest = setTimeout(onSave, QUIET_MS, file);
  });
  watcher.on('error', () => undefined); // a folder that is gone; the next save of one that is there is told
  return {
    close() {
      clearTimeout(rest);
      watcher.close();
    },
  };
}
