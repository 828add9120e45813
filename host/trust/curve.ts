// edwards25519 (RFC 8032 §5.1): whether bytes are a point that may be a key, or half of a signature. Asked before a library is, by keys.ts; nothing secret passes through here.

/** How many points a key may come from: 2^252 + …, a prime. */
export const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/**
 * What keeps 32 bytes, by their form alone, from being a public key or the R of a signature. A point of low order verifies what nobody signed, and one that is written
 * in a second, non-canonical way would have a second keyid (attack 100 low-order-key; https://eprint.iacr.org/2020/1244).
 */
export function encodingProblem(point: Uint8Array): string | undefined {
  if (point.length !== 32) return `it has ${point.length} bytes, not 32`;
  const y = littleEndian(point) & ~SIGN_BIT;
  if (y >= FIELD_PRIME) return 'it is not written canonically';
  return LOW_ORDER_Y.has(y) ? 'it is a point of low order' : undefined;
}

/**
 * The same, and whether the bytes are a point of the prime-order group: what an honest key always is. Only under such keys do verifiers that multiply by the cofactor and
 * those that do not give the same answer, so that no package passes here and fails elsewhere. Takes about 1 ms, so it is asked when a key is taken up, never per signature.
 */
export function pointProblem(point: Uint8Array): string | undefined {
  const problem = encodingProblem(point);
  if (problem !== undefined) return problem;
  const decoded = decode(littleEndian(point));
  if (!decoded) return 'it is no point of the curve';
  return isNeutral(multiply(GROUP_ORDER, decoded)) ? undefined : 'a part of it has low order';
}

export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

const FIELD_PRIME = 2n ** 255n - 19n;
const SIGN_BIT = 1n << 255n;

/** The y coordinates of the eight points whose order divides 8; each stands for both signs of x. */
const LOW_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  littleEndian(Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex')),
  littleEndian(Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex')),
]);

/** Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 §5.1.4). */
type Point = readonly [X: bigint, Y: bigint, Z: bigint, T: bigint];

const NEUTRAL: Point = [0n, 1n, 1n, 0n];
const D = modulo(-121665n * power(121666n, FIELD_PRIME - 2n));
const ROOT_OF_MINUS_ONE = power(2n, (FIELD_PRIME - 1n) / 4n);

/** RFC 8032 §5.1.3, for a y below the prime; undefined where no x belongs to it. */
function decode(encoded: bigint): Point | undefined {
  const y = encoded & ~SIGN_BIT;
  const u = modulo(y * y - 1n);
  const v = modulo(D * y * y + 1n);
  const root = modulo(u * v ** 3n * power(u * v ** 7n, (FIELD_PRIME - 5n) / 8n));
  const x = [root, modulo(root * ROOT_OF_MINUS_ONE)].find((candidate) => modulo(v * candidate * candidate) === u);
  if (x === undefined) return undefined;
  const signed = (x & 1n) === encoded >> 255n ? x : FIELD_PRIME - x;
  return [signed, y, 1n, modulo(signed * y)];
}

/** RFC 8032 §5.1.4; complete, so it doubles too. */
function add([X1, Y1, Z1, T1]: Point, [X2, Y2, Z2, T2]: Point): Point {
  const a = modulo((Y1 - X1) * (Y2 - X2));
  const b = modulo((Y1 + X1) * (Y2 + X2));
  const c = modulo(2n * D * T1 * T2);
  const d = modulo(2n * Z1 * Z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [modulo(e * f), modulo(g * h), modulo(f * g), modulo(e * h)];
}

function multiply(scalar: bigint, point: Point): Point {
  let sum = NEUTRAL;
  for (let rest = scalar, term = point; rest > 0n; rest >>= 1n, term = add(term, term)) if (rest & 1n) sum = add(sum, term);
  return sum;
}

function isNeutral([X, Y, Z]: Point): boolean {
  return X === 0n && Y === Z;
}

function power(base: bigint, exponent: bigint): bigint {
  let product = 1n;
  for (let rest = exponent, square = modulo(base); rest > 0n; rest >>= 1n, square = modulo(square * square)) if (rest & 1n) product = modulo(product * square);
  return product;
}

function modulo(value: bigint): bigint {
  const rest = value % FIELD_PRIME;
  return rest < 0n ? rest + FIELD_PRIME : rest;
}
