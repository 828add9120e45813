// The verdict on a proof: whether its entry is in the log that its head was signed for, or whether that log goes on from an earlier head. `audit verify` calls it for what `audit prove` gave.
import type { AuditConsistency, AuditFault, AuditHead, AuditProof, AuditVerdict, TreeHead } from '../../../schemas/audit.ts';
import { problemOf } from '../../errors.ts';
import { readPublicKey } from '../keys.ts';
import { entryBytes } from './entry.ts';
import { leafHash, provesConsistency, provesInclusion } from './merkle.ts';
import { isHeadGenuine } from './tree-head.ts';
import { notesOf, type Anchor } from './verify-export.ts';

/** `remembered` is compared only where it is of the same size: a proof says nothing about other sizes of the log. */
export function verifyProof({ entry, leaf, path, head }: AuditProof, anchor: Anchor, remembered?: AuditHead | TreeHead): AuditVerdict {
  const faults: AuditFault[] = [];
  const [from, to] = [entry.index, entry.index];
  const own = leafHash(entryBytes(entry));
  if (own.toString('hex') !== leaf) faults.push({ kind: 'edited', from, to, message: `entry ${entry.index} is not the one whose hash the proof names` });
  const root = Buffer.from(head.root, 'hex');
  if (!provesInclusion({ leaf: Buffer.from(leaf, 'hex'), index: entry.index, size: head.size, path: path.map((each) => Buffer.from(each, 'hex')), root })) faults.push({ kind: 'unconfirmed', from, to, message: `the path does not lead from entry ${entry.index} to the root of ${head.size} entries` });
  faults.push(...headFaults(head, anchor));
  if (remembered?.size === head.size && remembered.root !== head.root) faults.push({ kind: 'rewritten', message: `the log of ${head.size} entries had another root at ${remembered.at}` });
  const isCompared = remembered?.size === head.size;
  return {
    ok: faults.length === 0,
    entries: faults.length === 0 ? 1 : 0,
    root: head.root,
    anchor: { kind: anchor.kind, keyid: head.keyid, source: anchor.source },
    remembered: remembered ? { size: remembered.size, root: remembered.root, at: remembered.at } : null,
    faults,
    notes: [...notesOf(anchor, true), ...(remembered && !isCompared ? [`The remembered head is of ${remembered.size} entries and the proof of ${head.size}: they are not compared.`] : []), 'It shows that the entry is in the log of this head, and nothing about the others.'],
  };
}

/** Whether the log of the remembered head is the beginning of the one of the proof's head. */
export function verifyConsistency({ first, path, head }: AuditConsistency, anchor: Anchor, remembered: AuditHead | TreeHead): AuditVerdict {
  const faults = headFaults(head, anchor);
  const key = anchor.keys.get(remembered.keyid) ?? (remembered.keyid === head.keyid && faults.length === 0 ? readPublicKey(head.publicKey, head.keyid) : undefined);
  if (key && !isHeadGenuine(remembered, key)) faults.push({ kind: 'head', message: 'the remembered head is not signed by the key that it names' });
  const [firstRoot, secondRoot] = [Buffer.from(remembered.root, 'hex'), Buffer.from(head.root, 'hex')];
  if (remembered.size !== first) faults.push({ kind: 'unconfirmed', message: `the proof begins with ${first} entries, and the remembered head is of ${remembered.size}` });
  else if (!provesConsistency({ first, second: head.size, path: path.map((each) => Buffer.from(each, 'hex')), firstRoot, secondRoot })) {
    faults.push({ kind: 'rewritten', from: 0, to: Math.max(0, first - 1), message: `the path does not lead from the ${first} entries of ${remembered.at} to the ${head.size} of ${head.at}` });
  }
  return {
    ok: faults.length === 0,
    entries: faults.length === 0 ? first : 0,
    root: head.root,
    anchor: { kind: anchor.kind, keyid: head.keyid, source: anchor.source },
    remembered: { size: remembered.size, root: remembered.root, at: remembered.at },
    faults,
    notes: [...notesOf(anchor, true), 'It shows that what was in the log at the remembered head is still its beginning, and nothing about what an entry says.'],
  };
}

function headFaults(head: AuditHead, anchor: Anchor): AuditFault[] {
  try {
    const carried = readPublicKey(head.publicKey, head.keyid);
    if (anchor.kind !== 'none' && !anchor.keys.has(head.keyid)) return [{ kind: 'head', message: `the head is signed by ${head.keyid}, which ${anchor.source} does not name` }];
    return isHeadGenuine(head, anchor.keys.get(head.keyid) ?? carried) ? [] : [{ kind: 'head', message: 'the head is not signed by the key that it names' }];
  } catch (thrown) {
    return [{ kind: 'head', message: `the key of the head is none: ${problemOf(thrown)}` }];
  }
}
