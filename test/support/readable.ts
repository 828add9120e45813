// Whether another user of the machine could run code of this checkout: asked by tests that try being one.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** True when the file may be read by anybody, and every folder on the way entered. */
export function readableByAnyone(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & (at === path ? 0o004 : 0o001)) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
