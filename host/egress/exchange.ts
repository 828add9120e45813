// One request and its answer over one connection, all of it bounded. egress.ts calls it for every hop and decides what the answer means.
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import type { Connection } from './connections.ts';
import { responseHeaders, valuesOf, type Headers } from './headers.ts';
import type { Target } from './target.ts';

export interface Outgoing {
  readonly target: Target;
  readonly method: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where a redirect leads, as the server wrote it. */
  readonly location: string | undefined;
  /** Decompressed; what is not UTF-8 is replaced. */
  readonly body: string;
}

/** Takes a body piece by piece; only that of a 200, which is the whole of a file. */
export interface Sink {
  /** What is longer is cut off where it passes this, and refused. */
  readonly mostBytes: number;
  /** The next piece is read once this has resolved. */
  write(piece: Buffer): Promise<void>;
}

export interface ExchangeOptions {
  /** Of the whole fetch: what ends one exchange ends them all. */
  readonly run: AbortController;
  /** Counts bytes of the wire, both ways; what it throws ends the exchange. */
  readonly charge: (bytes: number) => void;
  readonly into?: Sink | undefined;
}

/** Framing, headers and what else is not the file. */
const BESIDE_FILE_BYTES = 256 * 1024;

/**
 * Throws EGRESS_TOO_LARGE, EGRESS_RESPONSE, EGRESS_TIMEOUT, EGRESS_FAILED, what `charge` throws and the signal's reason. When the status had arrived, the error's
 * fields name it: whoever only wants to know whether something was done needs no more. When it had not, `written` says whether the server may have got anything.
 */
export async function exchange(connection: Connection, { target, method, headers, body }: Outgoing, { run, charge, into }: ExchangeOptions): Promise<Answer> {
  const { origin, path } = target;
  const mostWireBytes = into ? into.mostBytes + BESIDE_FILE_BYTES : BOUNDS.fetchWireBytes;
  let wireBytes = 0;
  connection.meter = (bytes) => {
    wireBytes += bytes;
    try {
      charge(bytes);
      if (wireBytes > mostWireBytes) throw tooLarge('answer', origin, mostWireBytes);
    } catch (error) {
      run.abort(error);
    }
  };
  let interim = 0;
  const onInfo = () => {
    interim += 1;
    if (interim > BOUNDS.fetchInterimAnswers) run.abort(new GatehouseError('EGRESS_RESPONSE', { origin, problem: 'it is all interim answers' }));
  };

  let status: number | undefined;
  try {
    const response = await connection.client.request({ path, method, headers: Object.fromEntries(headers), body: body ?? null, signal: run.signal, responseHeaders: 'raw', onInfo });
    status = response.statusCode;
    const raw = rawHeaders(response.headers);
    const isFile = into !== undefined && status === 200;
    const bytes = isFile ? await poured(response.body, raw, into, origin) : await bounded(response.body, origin);
    connection.settle();
    run.signal.throwIfAborted();
    const [location, ...more] = valuesOf(raw, 'location');
    if (more.length > 0) throw new GatehouseError('EGRESS_RESPONSE', { origin, problem: 'it names several places to go to' });
    return { status, headers: responseHeaders(raw), location, body: isFile ? '' : decoded(bytes, valuesOf(raw, 'content-encoding'), origin) };
  } catch (error) {
    connection.settle();
    // An abort reaches us as whatever undici made of it.
    const reason: unknown = run.signal.aborted ? run.signal.reason : error;
    const { code, fields } = failureOf(reason, connection.instance, origin);
    throw new GatehouseError(code, { ...fields, ...(status === undefined ? { written: wireBytes > 0 } : { status }) }, { cause: reason });
  }
}

/** What exactly went wrong on the network stays with the host, as the cause: told to a plugin, the difference would draw a map of what is not the plugin's to see. */
function failureOf(error: unknown, instance: string, origin: string): Pick<GatehouseError, 'code' | 'fields'> {
  if (error instanceof GatehouseError) return error;
  if (error instanceof Error && error.name === 'TimeoutError') return { code: 'EGRESS_TIMEOUT', fields: { instance, origin, limitMs: BOUNDS.fetchTotalMs } };
  if (error instanceof Error && 'code' in error && error.code === 'UND_ERR_HEADERS_OVERFLOW') return tooLarge('headers', origin, BOUNDS.fetchResponseHeaderBytes);
  return { code: 'EGRESS_FAILED', fields: { instance, origin } };
}

const tooLarge = (what: string, origin: string, limit: number) => new GatehouseError('EGRESS_TOO_LARGE', { origin, what, limit });

/** A file is taken as it is: nobody asked for it compressed, and what it would become is not known before it has. */
async function poured(body: AsyncIterable<unknown>, raw: readonly string[], into: Sink, origin: string): Promise<Buffer> {
  if (valuesOf(raw, 'content-encoding').some((each) => each.trim().toLowerCase() !== 'identity')) throw new GatehouseError('EGRESS_RESPONSE', { origin, problem: 'it is in an encoding that was not asked for' });
  if (Number(valuesOf(raw, 'content-length')[0]) > into.mostBytes) throw tooLarge('body', origin, into.mostBytes);
  let bytes = 0;
  for await (const piece of body) {
    if (!Buffer.isBuffer(piece)) continue;
    bytes += piece.length;
    if (bytes > into.mostBytes) throw tooLarge('body', origin, into.mostBytes);
    await into.write(piece);
  }
  return Buffer.alloc(0);
}

async function bounded(body: AsyncIterable<unknown>, origin: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > BOUNDS.fetchResponseBytes) throw tooLarge('body', origin, BOUNDS.fetchResponseBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `responseHeaders: 'raw'` makes them a list of names and values in turn, which undici's types do not say. */
function rawHeaders(headers: unknown): readonly string[] {
  return Array.isArray(headers) ? headers.map(String) : [];
}

/**
 * We ask for identity, and most servers send it. For those that compress all the same, one encoding is undone, at once and in this thread: the output is bounded
 * where it is made, so a bomb stops at the cap, and libuv's thread pool is left to the store. Chains of encodings serve nobody but bombs.
 */
function decoded(body: Buffer, encodings: readonly string[], origin: string): string {
  const [encoding, ...more] = encodings.flatMap((each) => each.split(',')).map((each) => each.trim().toLowerCase()).filter((each) => each !== '' && each !== 'identity');
  if (encoding === undefined || body.length === 0) return UTF8.decode(body);
  const decode = more.length === 0 ? DECODERS.get(encoding) : undefined;
  if (!decode) throw new GatehouseError('EGRESS_RESPONSE', { origin, problem: more.length === 0 ? 'it is in an encoding that was not asked for' : 'it is encoded more than once' });
  try {
    return UTF8.decode(decode(body, { maxOutputLength: BOUNDS.fetchResponseBytes }));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('body', origin, BOUNDS.fetchResponseBytes);
    throw new GatehouseError('EGRESS_RESPONSE', { origin, problem: `it is not the ${encoding} that it says` }, { cause: error });
  }
}

const UTF8 = new TextDecoder();

const DECODERS: ReadonlyMap<string, (body: Buffer, options: { readonly maxOutputLength: number }) => Buffer> = new Map([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
  ['br', brotliDecompressSync],
]);
