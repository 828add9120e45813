// Checks an export of a Gatehouse audit log with Node alone: `node verify-audit.mjs EXPORT [--key LOG.JSON] [--head HEAD.JSON] [--json]`.
// Exit code 0 when all is as it was signed, 3 when not, 2 for usage. It shares no code with Gatehouse. Line 1 of an export names the key; every other line is an
// entry, a checkpoint after each block of at most 256 entries (a signed root, and the leaf hash of each of them) or, last, the signed tree head. RFC 6962 §2.1 hashes.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args.splice(args.indexOf(name), 2)[1] : undefined);
const [keyFile, headFile] = [option('--key'), option('--head')];
const [file] = args.filter((each) => each !== '--json');
if (!file) console.error('Usage: node verify-audit.mjs EXPORT [--key LOG.JSON] [--head HEAD.JSON] [--json]');
if (!file) process.exit(2);
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const keyIdOf = (raw) => `ed25519:${sha256(raw).toString('hex').slice(0, 32)}`;
/** The tree so far: complete subtrees, largest first, as [leaves, hash]. */
const append = (tree, leaf) => {
  const next = [...tree];
  let added = [1, leaf];
  while (next.at(-1)?.[0] === added[0]) added = [added[0] * 2, sha256(Buffer.of(1), next.pop()[1], added[1])];
  return [...next, added];
};
const grow = (tree, leaves) => leaves.reduce((grown, leaf) => append(grown, Buffer.from(leaf, 'hex')), tree);
const sizeOf = (tree) => tree.reduce((sum, [leaves]) => sum + leaves, 0);
const rootOf = (tree) => (tree.length === 0 ? sha256('') : tree.map(([, hash]) => hash).reduceRight((right, left) => sha256(Buffer.of(1), left, right))).toString('hex');
const isSigned = (text, signature, raw) => {
  if (Buffer.from(String(signature), 'base64').toString('base64') !== signature) return false;
  const key = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'));
};
const isHead = (h, raw) => isSigned(`gatehouse audit head v1\n${h.keyid}\n${h.size}\n${h.root}\n${h.at}\n`, h.signature, raw);
const isCheckpoint = (c, keyid, raw) => isSigned(`gatehouse audit checkpoint v1\n${keyid}\n${c.size}\n${c.root}\n`, c.signature, raw);
const parsed = (line) => {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
};
/** Whether a line is, byte for byte, how the host writes this: a second spelling would be bytes that nobody signed. */
const spells = (line, value) => Buffer.from(JSON.stringify(value)).equals(line);

const faults = [];
const fault = (kind, line, from, to = from) => faults.push({ kind, ...(line && { line }), ...(from === undefined ? {} : { from, to }) });
const anchor = new Map((keyFile ? JSON.parse(readFileSync(keyFile, 'utf8')).keys : []).map(({ publicKey }) => [keyIdOf(Buffer.from(publicKey, 'base64')), Buffer.from(publicKey, 'base64')]));
const remembered = headFile && JSON.parse(readFileSync(headFile, 'utf8'));
let [tree, waiting, head, key, isLost, rootThen] = [[], [], undefined, undefined, false, remembered?.size === 0 ? rootOf([]) : undefined];

/** Which lines are not the entries that were signed, when it is known which leaves there must be. */
function compare(lines, leaves, first) {
  const places = new Map(leaves.map((leaf, at) => [leaf, at]));
  const ahead = new Map();
  for (const { leaf } of lines) ahead.set(leaf, (ahead.get(leaf) ?? 0) + 1);
  const isAhead = (at) => (ahead.get(leaves[at]) ?? 0) > 0;
  let [place, moved] = [0, new Set()];
  const passMissing = (end) => {
    for (; place < end && (moved.has(place) || !isAhead(place)); place += 1) {
      const last = faults.at(-1);
      if (moved.has(place)) continue;
      if (last?.kind === 'missing' && last.to + 1 === first + place) last.to += 1;
      else fault('missing', undefined, first + place);
    }
  };
  for (const { number, leaf } of lines) {
    while (moved.has(place)) place += 1;
    ahead.set(leaf, ahead.get(leaf) - 1);
    const own = places.get(leaf);
    passMissing(own ?? 0);
    if (own === place) place += 1;
    else if (own > place && moved.add(own)) fault('moved', number, first + own);
    else if (own === undefined && place < leaves.length && !isAhead(place)) fault('edited', number, first + place++);
    else fault('inserted', number);
  }
  passMissing(leaves.length);
}

/** A signed root over `size` entries: the last ones are those of the list, lines before them stand for themselves. */
function confirm(number, size, root, listed) {
  const first = sizeOf(tree);
  const unlisted = size - first - listed.length;
  if (unlisted < 0) fault('checkpoint', number);
  if (unlisted < 0) return;
  const own = waiting.map(({ leaf }) => leaf);
  const leaves = [...own.slice(0, unlisted), ...listed];
  const fits = (each) => sizeOf(grow(tree, each)) === size && rootOf(grow(tree, each)) === root;
  if (fits(leaves)) {
    if (unlisted > 0) fault('checkpoint', number);
    compare(waiting, leaves, first);
  } else if (fits(own)) fault('checkpoint', number);
  else {
    isLost = true;
    const at = waiting.findIndex(({ index }, place) => index !== undefined && index !== first + place);
    const { index, number: line } = waiting[at] ?? {};
    if (at === -1) fault('unconfirmed', undefined, first, size - 1);
    else if (index > first + at) fault('missing', line, first + at, index - 1);
    else fault('moved', line, index);
    return;
  }
  const confirmed = fits(leaves) ? leaves : own;
  if (remembered?.size >= first && remembered.size <= size) rootThen = rootOf(grow(tree, confirmed.slice(0, remembered.size - first)));
  tree = grow(tree, confirmed);
  waiting = [];
}

function take(line, number) {
  const value = parsed(line);
  if (number === 1) {
    const raw = Buffer.from(String(value?.publicKey), 'base64');
    if (spells(line, { format: 'gatehouse-audit/1', keyid: keyIdOf(raw), publicKey: raw.toString('base64') })) key = [value.keyid, raw];
    if (!key || (keyFile && !anchor.has(key[0]))) fault('header', 1);
    if (!key) [[key] = []] = [[...anchor]];
    isLost = !key;
  } else if (head) fault('inserted', number);
  else if (line.indexOf('{"checkpoint":') === 0) {
    const { size, root, signature, leaves } = value?.checkpoint ?? {};
    const isWhole = Array.isArray(leaves) && spells(line, { checkpoint: { size, root, signature, leaves } });
    if (isWhole && isCheckpoint({ size, root, signature }, ...key)) confirm(number, size, root, leaves);
    else fault('checkpoint', number);
  } else if (line.indexOf('{"head":') === 0) {
    const { size, root, at, keyid, signature } = value?.head ?? {};
    const isGood = keyid === key[0] && spells(line, { head: { size, root, at, keyid, signature } }) && isHead(value.head, key[1]);
    if (!isGood) fault('head', number);
    else if (size > sizeOf(tree) || waiting.length > 0) confirm(number, size, root, []);
    if (isGood && !isLost) head = value.head;
    if (head && (size !== sizeOf(tree) || root !== rootOf(tree))) fault('rewritten', number);
  } else waiting.push({ number, leaf: sha256(Buffer.of(0), line).toString('hex'), index: Number.isInteger(value?.index) ? value.index : undefined });
}

let [rest, number] = [Buffer.alloc(0), 0];
for await (const chunk of createReadStream(file)) {
  rest = Buffer.concat([rest, chunk]);
  for (let end = rest.indexOf(10); end !== -1 && !isLost; end = rest.indexOf(10)) {
    take(rest.subarray(0, end), (number += 1));
    rest = rest.subarray(end + 1);
  }
}
if (rest.length > 0 && !isLost) fault('cut', number + 1);
if (rest.length > 0 && !isLost) take(rest, number + 1);
if (!head && !isLost) fault('cut', undefined, sizeOf(tree));
if (head && remembered) {
  const raw = anchor.get(remembered.keyid) ?? (key[0] === remembered.keyid ? key[1] : undefined);
  if (raw && !isHead(remembered, raw)) fault('head');
  if (remembered.size > sizeOf(tree)) fault('truncated', undefined, sizeOf(tree), remembered.size - 1);
  else if (rootThen !== remembered.root) fault('rewritten', undefined, 0, Math.max(0, remembered.size - 1));
}
const say = ({ kind, line, from, to }) => `${kind}${from === undefined ? '' : ` entry ${from}${to === from ? '' : ` to ${to}`}`}${line ? ` at line ${line}` : ''}`;
const anchored = keyFile ? `signed by ${key?.[0]}, judged by ${keyFile}` : 'consistent in itself; without --key this does not say whose log it is';
if (args.includes('--json')) console.log(JSON.stringify({ ok: faults.length === 0, entries: sizeOf(tree), root: rootOf(tree), faults }));
else console.log(faults.length === 0 ? `${sizeOf(tree)} entries, ${anchored}${remembered ? '' : '; without --head, a cut or rewritten log cannot be told from a whole one'}` : faults.map(say).join('\n'));
process.exitCode = faults.length === 0 ? 0 : 3;
