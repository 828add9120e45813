// From what somebody wants recorded to an entry of the log and the bytes that are hashed. audit-log.ts makes entries; verifying needs the bytes alone.
import { AuditEntry, type AuditDetail, type AuditOutcome } from '../../../schemas/audit.ts';
import { GatehouseError } from '../../errors.ts';
import { compileSchema } from '../../schema.ts';

/** What is to be recorded. Texts that are too long are cut with `…`: a decision is not lost because its reason was long. Never secrets, never the text of a message. */
export interface AuditDraft {
  /** `host`, `file`, `command line`, `reviewer:<name>`, or `token:<id>`. */
  readonly actor: string;
  /** Dotted lower-case words, as `plugin.quarantine`. */
  readonly action: string;
  readonly resource: string;
  readonly outcome: AuditOutcome;
  readonly detail?: { readonly [name: string]: string | number | boolean | null | readonly string[] | undefined };
}

const checker = compileSchema(AuditEntry);

/** Throws INTERNAL for a draft that is no entry however it is cut: that is the caller's defect. */
export function entryOf(draft: AuditDraft, index: number, at: string): AuditEntry {
  const detail = detailOf(draft.detail);
  const entry = { index, at, actor: cut(draft.actor, 200), action: draft.action, resource: cut(draft.resource, 500), outcome: draft.outcome, ...(detail ? { detail } : {}) };
  const fault = checker.explain(entry);
  if (fault) throw new GatehouseError('INTERNAL', { problem: `'${draft.action}' is no audit entry at ${fault.path}: ${fault.problem}` });
  return entry;
}

/** The exact bytes of an entry: what its leaf hash is over, and its line in an export. */
export function entryBytes(entry: AuditEntry): Buffer {
  return Buffer.from(JSON.stringify(entry));
}

function detailOf(detail: AuditDraft['detail'] = {}): AuditDetail | undefined {
  const given = Object.entries(detail).flatMap(([name, value]): [string, AuditDetail[string]][] => (value === undefined ? [] : [[name, bounded(value)]]));
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function bounded(value: string | number | boolean | null | readonly string[]): AuditDetail[string] {
  if (typeof value === 'string') return cut(value, 1000);
  if (value === null || typeof value !== 'object') return value;
  return value.slice(0, 50).map((each) => cut(each, 200));
}

/** What is cut ends in `…`, and never in half a character. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text.toWellFormed();
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '').toWellFormed()}…`;
}
