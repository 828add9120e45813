// The files of manifests/approvals/: every envelope that a reviewer's key signed, and the list of those that were taken back. Read by the survey; written by `approve`, `approvals revoke` and the host's desk.
import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RevokedApprovals } from '../../schemas/approval.ts';
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readApproval } from './approval-statement.ts';
import type { StoredApproval } from './approvals.ts';
import { readRegularFile } from './regular-file.ts';
import type { Reviewers } from './reviewers.ts';
import type { VerifyOptions } from './verify.ts';

export type RevokedApproval = RevokedApprovals['revoked'][number];

export interface ApprovalFiles {
  /** Each once, in the order of file names. */
  readonly stored: readonly StoredApproval[];
  /** Files that say nothing that could count. */
  readonly diagnostics: readonly Diagnostic[];
}

const REVOKED_FILE = 'revoked.json';
const ENVELOPE_BYTES = 256 * 1024;
const REVOKED_BYTES = 16 * 1024 * 1024;
/** Each costs a signature check at every look. */
const MOST_FILES = 2000;

export const revokedFile = (folder: string): string => join(folder, REVOKED_FILE);

/** A running host's last look, and whether a file is still being written: so long it counts as it did. */
export interface EarlierApprovals {
  readonly files: ApprovalFiles;
  readonly isUnsettled: (path: string) => boolean;
}

/** A file that is gone counts no more; one that cannot be read, or says something else, counts for nothing and is reported. What was taken back is not asked. Throws what reading the folder throws. */
export async function loadApprovals(folder: string, reviewers: Reviewers, secondOpinion: VerifyOptions['secondOpinion'], earlier?: EarlierApprovals): Promise<ApprovalFiles> {
  const diagnostics: Diagnostic[] = [];
  const stored = new Map<string, StoredApproval>();
  const kept = earlier?.files.stored.filter(({ file }) => earlier.isUnsettled(file)) ?? [];
  const names = await approvalNames(folder);
  // A veto that nobody has read yet could be among them.
  if (names.length > MOST_FILES) diagnostics.push(diagnosticOf(refused(folder, `it holds ${names.length} files, and only the first ${MOST_FILES} are read`), folder, 'degraded'));
  for (const file of names.slice(0, MOST_FILES)) {
    try {
      const { approval } = readApproval(await readBounded(file), file, reviewers, secondOpinion);
      const copy = stored.get(approval.id);
      if (copy) diagnostics.push(diagnosticOf(new GatehouseError('APPROVAL_UNUSED', { source: file, reviewer: approval.reviewer, problem: `it is a copy of ${copy.file}` }), file));
      const key = reviewers.find(approval.keyid);
      if (key && !copy) stored.set(approval.id, { ...approval, file, key });
    } catch (thrown) {
      if (earlier?.isUnsettled(file)) continue;
      diagnostics.push(diagnosticOf(thrown instanceof GatehouseError ? thrown : refused(file, `it cannot be read (${problemOf(thrown).split(':')[0]})`), file));
    }
  }
  const read = new Set([...stored.values()].map(({ file }) => file));
  for (const approval of kept) if (!read.has(approval.file) && !stored.has(approval.id)) stored.set(approval.id, approval);
  return { stored: [...stored.values()], diagnostics };
}

/** Throws JSON_…, SCHEMA_… and what the file system throws, but not for a file that is not there. */
export async function loadRevoked(folder: string): Promise<readonly RevokedApproval[]> {
  const file = revokedFile(folder);
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(file);
  } catch (thrown) {
    if (isAbsent(thrown)) return [];
    throw thrown;
  }
  return readRevoked(bytes, file);
}

const readRevoked = (bytes: Uint8Array, source: string): readonly RevokedApproval[] =>
  parseDocument(bytes, compileSchema(RevokedApprovals), { source, maxBytes: REVOKED_BYTES, maxDepth: 3 }).revoked;

/** The list with one more, as it is written, and as it can be read again: throws SCHEMA_… for a reason that is empty or too long, and for one entry too many. */
export function withRevoked(revoked: readonly RevokedApproval[], { id, at, actor, reason }: RevokedApproval): string {
  const list: RevokedApprovals = { $schema: 'https://gatehouse.dev/schemas/revoked-approvals.schema.json', revoked: [...revoked, { id, at, actor, reason }] };
  const text = `${JSON.stringify(list, null, 2)}\n`;
  readRevoked(Buffer.from(text), REVOKED_FILE);
  return text;
}

/** A reader sees the old file or the new one. The draft's name begins with a dot, so that nobody takes it for an approval; `onWriting` is told before anybody can see the text. */
export async function putApprovalFile(file: string, text: string, onWriting?: (path: string, text: string) => void): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  try {
    await using handle = await open(draft, 'wx', 0o644);
    await handle.writeFile(text);
    await handle.sync();
    onWriting?.(file, text);
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

async function approvalNames(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith('.dsse.json') && !name.startsWith('.')).sort().map((name) => join(folder, name));
  } catch (thrown) {
    if (isAbsent(thrown)) return [];
    throw thrown;
  }
}

async function readBounded(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size > ENVELOPE_BYTES) throw refused(file, `it has ${size} bytes, and ${ENVELOPE_BYTES} are the most`);
  return await readRegularFile(file);
}

const isAbsent = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';

const refused = (source: string, problem: string) => new GatehouseError('APPROVAL_REFUSED', { source, problem });

/** Whoever waits for an approval is told so by its own finding. */
function diagnosticOf(error: GatehouseError, manifest: string, severity: Diagnostic['severity'] = 'warning'): Diagnostic {
  return { code: error.code, severity, manifest, stage: 'trust', rule: 'approval-file', message: error.message, fix: error.fix };
}
