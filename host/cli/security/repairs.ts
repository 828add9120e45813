// What `security audit --fix` does: takes bits from file modes and pins digests, and nothing else. Called by commands/security.ts, after it was shown and agreed to.
import { chmod, readFile, realpath } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { GatehouseError } from '../../errors.ts';
import { replaceFile } from '../../registry/enablement-file.ts';
import { parseStrict } from '../../strict-json.ts';
import type { Repair } from './check.ts';

/** As a person would type or read it. */
export function describeRepair(repair: Repair): string {
  switch (repair.kind) {
    case 'chmod':
      return `chmod ${repair.mode} ${repair.path}`;
    case 'pin':
      return `add "digest": "${repair.digest}" to ${repair.path}`;
    default:
      return repair satisfies never;
  }
}

/** Throws what the system says, and REPAIR_IMPOSSIBLE for a file that is not as it was when it was looked at. */
export async function repair(wanted: Repair): Promise<void> {
  switch (wanted.kind) {
    case 'chmod':
      return await chmod(wanted.path, Number.parseInt(wanted.mode, 8));
    case 'pin':
      return await pin(wanted.path, wanted.digest);
    default:
      return wanted satisfies never;
  }
}

async function pin(path: string, digest: string): Promise<void> {
  const target = await realpath(path);
  const text = (await readFile(target)).toString('utf8');
  const pinned = withDigest(text, digest);
  if (pinned === undefined) throw new GatehouseError('REPAIR_IMPOSSIBLE', { path, problem: 'it is not the file that was looked at any more' });
  await replaceFile(target, pinned);
}

/**
 * The text with a `digest` after its `plugin`, set as that is set; every other byte stays as somebody wrote it. Undefined where there is a digest already, or where the
 * result would not be the same document with a digest.
 */
export function withDigest(text: string, digest: string): string | undefined {
  const limits = { source: 'the enablement', maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth };
  const { value, locate } = parseStrict(text, limits);
  const document: Readonly<Record<string, unknown>> = { ...Object(value) };
  const { plugin } = document;
  if (typeof plugin !== 'string' || Object.hasOwn(document, 'digest')) return undefined;
  const key = offsetOf(text, locate('/plugin', 'key'));
  const start = offsetOf(text, locate('/plugin'));
  const end = text.indexOf('"', start + 1) + 1; // a plugin id has nothing that JSON escapes
  const lead = /\n[ \t]*$/.exec(text.slice(0, key))?.[0] ?? ' ';
  const pinned = `${text.slice(0, end)},${lead}"digest": "${digest}"${text.slice(end)}`;
  return isDeepStrictEqual(parseStrict(pinned, limits).value, { ...document, digest }) ? pinned : undefined;
}

/** Lines and columns count from 1, columns in UTF-16 units. */
function offsetOf(text: string, { line, column }: { readonly line: number; readonly column: number }): number {
  let at = 0;
  for (let passed = 1; passed < line; passed++) {
    const next = /\r\n|\r|\n/g;
    next.lastIndex = at;
    next.exec(text);
    at = next.lastIndex;
  }
  return at + column - 1;
}
