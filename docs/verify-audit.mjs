// Checks an export of a Gatehouse audit log with Node alone: `node verify-audit.mjs EXPORT [--key LOG.JSON] [--head HEAD.JSON] [--json]`.
// Exit code 0 when all is as it was signed, 3 when not, 2 for usage and for files that cannot be read or are no keys and no head. It shares no code with Gatehouse. Line 1
// names the key; every other line is an entry, a checkpoint after each block of at most 256 entries (a signed root, and their leaf hashes) or, last, the signed tree head.
import { createHash, verify } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
const refuse = (problem) => console.error(`${problem}\nUsage: node verify-audit.mjs EXPORT [--key LOG.JSON] [--head HEAD.JSON] [--json]`) ?? process.exit(2);
const attempt = (action, otherwise = ({ message }) => refuse(message)) => {
  try {
    return action();
  } catch (error) {
    return otherwise(error);
  }
};
const { values: { key: keyFile, head: headFile, json }, positionals: [file, ...others] } = attempt(() => parseArgs({ options: { key: { type: 'string' }, head: { type: 'string' }, json: { type: 'boolean' } }, allowPositionals: true }));
if (file === undefined || others.length > 0) refuse('One export is needed, and nothing more.');
const parsed = (text, otherwise = () => ({})) => attempt(() => JSON.parse(text.toString()) ?? {}, otherwise);
const document = (name) => parsed(attempt(() => readFileSync(name)), () => refuse(`${name} is no JSON.`));
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
/** RFC 6962 §2.1. The tree so far: complete subtrees, largest first, as [leaves, hash]. */
const append = (tree, hash, width = 1) => (tree.at(-1)?.[0] === width ? append(tree.slice(0, -1), sha256(Buffer.of(1), tree.at(-1)[1], hash), width * 2) : [...tree, [width, hash]]);
const grow = (tree, leaves) => leaves.reduce((grown, leaf) => append(grown, Buffer.from(leaf, 'hex')), tree);
const sizeOf = (tree) => tree.reduce((sum, [leaves]) => sum + leaves, 0);
const rootOf = (tree) => (tree.length === 0 ? sha256('') : tree.map(([, hash]) => hash).reduceRight((right, left) => sha256(Buffer.of(1), left, right))).toString('hex');

const [PRIME, SIGN, ORDER_8] = [2n ** 255n - 19n, 2n ** 255n, 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n];
const yOf = (raw) => BigInt(`0x${Buffer.from(raw).reverse().toString('hex')}`) % SIGN;
/** Whether a key, or the R of a signature, is written in its one way, and not of low order: under such keys signatures hold that nobody made. */
const isPoint = (raw) => raw.length === 32 && yOf(raw) < PRIME && ![0n, 1n, PRIME - 1n, ORDER_8, PRIME - ORDER_8].includes(yOf(raw));
const base64 = (text) => (Buffer.from(String(text), 'base64').toString('base64') === text ? Buffer.from(text, 'base64') : Buffer.alloc(0));
const keyIdOf = (raw) => `ed25519:${sha256(raw).toString('hex').slice(0, 32)}`;
const isSigned = (text, signature, raw) =>
  isPoint(base64(signature).subarray(0, 32)) && verify(null, Buffer.from(text), { key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' }, base64(signature));
const isText = (value, most, pattern = /^/) => typeof value === 'string' && Array.from(value).length <= most && pattern.test(value);
const isTime = (value) => isText(value, 24, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const isSize = (value) => Number.isSafeInteger(value) && value >= 0;
const isHash = (value) => isText(value, 64, /^[0-9a-f]{64}$/);
const isHead = (h) => isSize(h?.size) && isHash(h.root) && isTime(h.at) && isText(h.keyid, 40, /^ed25519:[0-9a-f]{32}$/) && base64(h.signature).length === 64;
const isHeadSigned = (h, raw) => isSigned(`gatehouse audit head v1\n${h.keyid}\n${h.size}\n${h.root}\n${h.at}\n`, h.signature, raw);
const isCheckpoint = (c, keyid, raw) => isSize(c.size) && isHash(c.root) && isSigned(`gatehouse audit checkpoint v1\n${keyid}\n${c.size}\n${c.root}\n`, c.signature, raw);
/** Whether a line is, byte for byte, how the host writes this: a second spelling would be bytes that nobody signed. */
const spells = (line, value) => Buffer.from(JSON.stringify(value)).equals(line);
const isFact = (value) => value === null || ['number', 'boolean'].includes(typeof value) || isText(value, 1000) || (Array.isArray(value) && value.length <= 50 && value.every((each) => isText(each, 200)));
const isDetail = (value) => value instanceof Object && !Array.isArray(value) && Object.keys(value).length <= 20 && Object.entries(value).every(([name, fact]) => isText(name, 40, /^[a-zA-Z][a-zA-Z0-9]*$/) && isFact(fact));
const isEntry = (line, { index, at, actor, action, resource, outcome, detail }) => spells(line, { index, at, actor, action, resource, outcome, detail }) && isSize(index) && isTime(at) && isText(actor, 200) &&
  isText(action, 100, /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*$/) && isText(resource, 500) && ['begun', 'done', 'refused', 'failed'].includes(outcome) && (detail === undefined || isDetail(detail));
const anchor = new Map((keyFile === undefined ? {} : document(keyFile)).keys?.map?.((each) => [each?.keyid, base64(each?.publicKey)]));
if (keyFile !== undefined && (anchor.size === 0 || [...anchor].some(([keyid, raw]) => !isPoint(raw) || keyIdOf(raw) !== keyid))) refuse(`${keyFile} is no list of log keys.`);
const remembered = headFile === undefined ? undefined : (({ head, ...itself }) => head ?? itself)(document(headFile));
if (headFile !== undefined && !isHead(remembered)) refuse(`${headFile} is no tree head.`);
const faults = [];
const fault = (kind, line, from, to = from) => {
  const last = faults.at(-1);
  if (kind === 'missing' && last?.kind === kind && last.to === from - 1) last.to = to;
  else faults.push({ kind, ...(line && { line }), ...(from === undefined ? {} : { from, to }) });
};
let [tree, waiting, head, key, isLost, rootThen] = [[], [], undefined, undefined, false, remembered?.size === 0 ? rootOf([]) : undefined];
const lose = (...what) => ([isLost] = [true, fault(...what)]);
/** Which lines are not the entries that were signed, when it is known which leaves there must be. */
function compare(lines, leaves, first) {
  const places = new Map(leaves.map((leaf, at) => [leaf, at]));
  const ahead = new Map();
  for (const { leaf } of lines) ahead.set(leaf, (ahead.get(leaf) ?? 0) + 1);
  const isAhead = (at) => (ahead.get(leaves[at]) ?? 0) > 0;
  let [place, moved] = [0, new Set()];
  const passMissing = (end) => {
    for (; place < end && (moved.has(place) || !isAhead(place)); place += 1) if (!moved.has(place)) fault('missing', undefined, first + place);
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
  for (const { number, leaf, index } of lines) if (places.has(leaf) && first + places.get(leaf) !== index) fault('malformed', number, first + places.get(leaf));
}

/** A signed root over `size` entries: the last ones are those of the list, lines before them stand for themselves. */
function confirm(number, size, root, listed) {
  const first = sizeOf(tree);
  const unlisted = size - first - listed.length;
  if (unlisted < 0) return fault('checkpoint', number);
  const own = waiting.map(({ leaf }) => leaf);
  const ways = [[...own.slice(0, unlisted), ...listed], own].map((leaves) => [leaves, grow(tree, leaves)]);
  const [confirmed, grown] = ways.find(([, each]) => sizeOf(each) === size && rootOf(each) === root) ?? [];
  if (!grown) {
    const at = waiting.findIndex(({ index }, place) => index !== undefined && index !== first + place);
    const { index, number: line } = waiting[at] ?? {};
    if (at === -1) return lose('unconfirmed', undefined, first, size - 1);
    return index > first + at ? lose('missing', line, first + at, index - 1) : lose('moved', line, index);
  }
  if (confirmed === own || unlisted > 0) fault('checkpoint', number);
  compare(waiting, confirmed, first);
  if (remembered?.size >= first && remembered.size <= size) rootThen = rootOf(grow(tree, confirmed.slice(0, remembered.size - first)));
  [tree, waiting] = [grown, []];
}
const [LINE_BYTES, MOST_WAITING, MOST_FAULTS] = [64 * 1024, 16 * 256, 1000];
function take(line, number) {
  const value = parsed(line);
  if (line.length > LINE_BYTES) lose('malformed', number);
  else if (number === 1) {
    const raw = base64(value.publicKey);
    if (isPoint(raw) && spells(line, { format: 'gatehouse-audit/1', keyid: keyIdOf(raw), publicKey: value.publicKey })) key = [value.keyid, raw];
    if (!key || (keyFile !== undefined && !anchor.has(key[0]))) fault('header', 1);
    isLost = !(key ??= anchor.size === 1 ? [...anchor][0] : undefined);
  } else if (head) fault('inserted', number);
  else if (line.indexOf('{"checkpoint":') === 0) {
    const { size, root, signature, leaves } = value.checkpoint ?? {};
    const isWhole = Array.isArray(leaves) && leaves.length > 0 && leaves.length <= 256 && leaves.every(isHash) && spells(line, { checkpoint: { size, root, signature, leaves } });
    if (isWhole && isCheckpoint({ size, root, signature }, ...key)) confirm(number, size, root, leaves);
    else fault('checkpoint', number);
  } else if (line.indexOf('{"head":') === 0) {
    const { size, root, at, keyid, signature } = value.head ?? {};
    const isGood = isHead(value.head) && keyid === key[0] && spells(line, { head: { size, root, at, keyid, signature } }) && isHeadSigned(value.head, key[1]);
    if (!isGood) fault('head', number);
    else if (size > sizeOf(tree) || waiting.length > 0) confirm(number, size, root, []);
    if (isGood && !isLost) head = value.head;
    if (head && (size !== sizeOf(tree) || root !== rootOf(tree))) fault('rewritten', number);
  } else waiting.push({ number, leaf: sha256(Buffer.of(0), line).toString('hex'), index: isEntry(line, value) ? value.index : undefined });
  if (waiting.length > MOST_WAITING) lose('checkpoint', number);
}
const isDone = () => isLost || faults.length >= MOST_FAULTS;
let [rest, number] = ['', 0];
for await (const chunk of createReadStream(file, 'latin1').on('error', ({ message }) => isDone() || refuse(message))) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) if (!isDone()) take(Buffer.from(line, 'latin1'), (number += 1));
  if (isDone() || rest.length > LINE_BYTES) break;
}
if (rest !== '' && rest.length <= LINE_BYTES && !isDone()) fault('cut', number + 1);
if (rest !== '' && !isDone()) take(Buffer.from(rest, 'latin1'), number + 1);
if (!head && !isDone()) fault('cut', undefined, sizeOf(tree));
if (head && remembered) {
  const raw = anchor.get(remembered.keyid) ?? (key[0] === remembered.keyid ? key[1] : undefined);
  if (raw && !isHeadSigned(remembered, raw)) fault('head');
  if (remembered.size > sizeOf(tree)) fault('truncated', undefined, sizeOf(tree), remembered.size - 1);
  else if (rootThen !== remembered.root) fault('rewritten', undefined, 0, Math.max(0, remembered.size - 1));
}
const say = ({ kind, line, from, to }) => `${kind}${from === undefined ? '' : ` entry ${from}${to === from ? '' : ` to ${to}`}`}${line ? ` at line ${line}` : ''}`;
const verdict = { ok: faults.length === 0, entries: sizeOf(tree), root: head || tree.length > 0 ? rootOf(tree) : null, anchor: { kind: keyFile ? 'key' : 'none', keyid: key?.[0] ?? null, source: keyFile ?? 'the export itself' }, remembered: remembered ? { size: remembered.size, root: remembered.root, at: remembered.at } : null, faults };
const whole = `${verdict.entries} entries, ${keyFile ? `signed by ${key?.[0]}, judged by ${keyFile}` : 'consistent in itself; without --key this does not say whose log it is'}${remembered ? '' : '; without --head, a cut or rewritten log cannot be told from a whole one'}`;
console.log(json ? JSON.stringify(verdict) : faults.map(say).join('\n') || whole);
process.exitCode = verdict.ok ? 0 : 3;
