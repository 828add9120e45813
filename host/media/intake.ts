// Fetches the files of one message, looks them through and puts them into the store, or says why not. The media stage of the pipeline is the only caller.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { LinkedBlob, MediaBlock, StoredBlob } from '../../schemas/media.ts';
import type { MediaPolicy } from '../../schemas/policy.ts';
import type { Sink } from '../egress/egress.ts';
import { GatehouseError, type ErrorCode, type Fields } from '../errors.ts';
import { publish } from '../events.ts';
import { inspect } from './inspect.ts';
import type { Inspected, Kept, MediaStore } from './media-store.ts';

/** What is asked to get the bytes of one file; `secrets` are handles of the channel's own. */
export interface FileRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
}

export interface IntakeParts {
  readonly media: Pick<MediaStore, 'draft' | 'keep'>;
  /** How the channel says that the file is got; undefined when it does not know. */
  readonly requestOf: (instance: string, conversation: string, blob: LinkedBlob) => Promise<FileRequest | undefined>;
  /** Asks as the channel instance, under its grants. Resolves once the body of a 200 has gone into the sink. Throws what the egress throws. */
  readonly download: (instance: string, request: FileRequest, into: Sink, signal: AbortSignal) => Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>> }>;
}

export interface Order {
  readonly instance: string;
  readonly conversation: string;
  readonly blocks: readonly MediaBlock[];
  readonly policy: Required<MediaPolicy>;
  /** Whether there is a source that can be told to come again; without one, what cannot be fetched stays a link. */
  readonly isWaitedFor: boolean;
}

export type Taken =
  /** In the order of the message; `kept` rides in its accept commit. */
  | { readonly outcome: 'taken'; readonly blocks: readonly MediaBlock[]; readonly kept?: Kept; readonly note: string }
  /** `isVerdict`: it was the bytes that were judged, and they would be judged the same again. */
  | { readonly outcome: 'refused'; readonly code: ErrorCode; readonly fields: Fields; readonly isVerdict: boolean };

export interface Intake {
  /** Within 25 s. Nothing of a file that is not kept is left when this resolves. */
  take(order: Order): Promise<Taken>;
}

interface Fetched extends Inspected {
  readonly blob: LinkedBlob;
}

const VERDICTS: ReadonlySet<ErrorCode> = new Set(['MEDIA_TYPE_REFUSED', 'MEDIA_UNSAFE', 'MEDIA_TOO_LARGE']);

export function createIntake({ media, requestOf, download }: IntakeParts): Intake {
  /** One file at a time is held in memory, however many come. */
  let looking: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = looking.then(work);
    looking = result.catch(() => undefined);
    return result;
  };

  return {
    async take({ instance, conversation, blocks, policy, isWaitedFor }) {
      await using drafts = new AsyncDisposableStack();
      const mayLink = policy.onFailure === 'link' || !isWaitedFor;
      const over = new AbortController();
      const deadline = setTimeout(() => over.abort(), BOUNDS.mediaIntakeMs);
      const results = await Promise.all(blocks.map(async (block) => (isLinked(block) ? await fetched(block) : block)));
      clearTimeout(deadline);

      const errors = results.filter((each) => each instanceof GatehouseError);
      const verdict = errors.find(({ code }) => VERDICTS.has(code));
      if (verdict) return { outcome: 'refused', code: verdict.code, fields: verdict.fields, isVerdict: true };
      const [failure] = errors;
      // A host that stops has not tried: whoever sent it is to come again, and a held message stays held.
      const stopping = errors.find(({ code }) => code === 'STOPPING');
      if (stopping) return { outcome: 'refused', code: stopping.code, fields: stopping.fields, isVerdict: false };
      if (failure && !mayLink) return { outcome: 'refused', code: failure.code, fields: failure.fields, isVerdict: false };
      const files = results.filter((each): each is Fetched => 'draft' in each);
      if (files.length === 0) return { outcome: 'taken', blocks, note: noteOf(0, errors) };
      try {
        const kept = await media.keep(instance, files, policy.quotaBytes);
        tell(files.length, 'stored');
        return { outcome: 'taken', blocks: results.map((each, index) => blockOf(each) ?? blocks[index]).filter((each) => each !== undefined), kept, note: noteOf(files.length, errors) };
      } catch (error) {
        const { code, fields } = asRefusal(error);
        tell(files.length, code);
        return mayLink ? { outcome: 'taken', blocks, note: noteOf(0, [...errors, ...files.map(() => ({ code }))]) } : { outcome: 'refused', code, fields, isVerdict: false };
      }

      /** Never rejects, so that no draft is removed under another one's hands. */
      async function fetched(blob: LinkedBlob): Promise<Fetched | GatehouseError> {
        try {
          const request = await requestOf(instance, conversation, blob);
          if (!request) throw unreachable('the channel does not say how.');
          const draft = drafts.use(await media.draft());
          const { status, headers } = await download(instance, request, { mostBytes: policy.maxBytes, write: (piece) => draft.write(piece) }, over.signal);
          if (status !== 200) throw unreachable(`its server answered ${status}.`);
          const claim = { kind: blob.kind, mimeType: blob.mimeType ?? headers['content-type'], types: policy.types };
          const found = await inTurn(async () => inspect(await draft.finish(), claim));
          if ('refused' in found) throw new GatehouseError(found.refused === 'type' ? 'MEDIA_TYPE_REFUSED' : 'MEDIA_UNSAFE', { instance, problem: found.problem });
          return { blob, draft, found };
        } catch (error) {
          const refusal = asRefusal(error);
          tell(1, refusal.code);
          return refusal;
        }
      }

      /** What the network said stays with the host: its sender, who chose the address, is told no more than that it did not work. */
      function asRefusal(error: unknown): GatehouseError {
        if (!(error instanceof GatehouseError)) throw error;
        if (VERDICTS.has(error.code) || error.code === 'MEDIA_UNREACHABLE' || error.code === 'MEDIA_QUOTA' || error.code === 'STORE_FAILED' || error.code === 'STOPPING') return error;
        if (error.code === 'EGRESS_TOO_LARGE' && error.fields['what'] !== 'headers') return new GatehouseError('MEDIA_TOO_LARGE', { instance, limit: policy.maxBytes }, { cause: error });
        return unreachable(error.code === 'EGRESS_DENIED' ? 'the channel may not fetch from there.' : 'no whole answer came from there.', error);
      }

      function unreachable(problem: string, cause?: unknown): GatehouseError {
        return new GatehouseError('MEDIA_UNREACHABLE', { instance, problem }, { cause });
      }

      function tell(files: number, result: ErrorCode | 'stored'): void {
        publish('media.taken', { instance, files, result });
      }
    },
  };
}

const isLinked = (block: MediaBlock): block is LinkedBlob => 'url' in block && !('id' in block);

/** Undefined for what stays as it came. */
function blockOf(result: MediaBlock | Fetched | GatehouseError): StoredBlob | undefined {
  if (!('draft' in result)) return undefined;
  const { blob: { kind, name }, draft: { digest, sizeBytes }, found } = result;
  return { kind, id: `sha256:${digest}`, sizeBytes, ...found, ...(name === undefined ? {} : { name }) };
}

/** For the record of the message. */
function noteOf(stored: number, failed: readonly { readonly code: ErrorCode }[]): string {
  const links = failed.length === 0 ? '' : `${failed.length} linked (${[...new Set(failed.map(({ code }) => code))].join(', ')})`;
  return [stored === 0 ? '' : `${stored} stored`, links].filter((each) => each !== '').join(', ') || 'nothing to store';
}
