// What a message carries beside its text: files by address or by digest, places, people. message.ts has lists of them, policy.ts says what becomes of them.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Digest } from './ids.ts';

export const BlobKind = oneOf('image', 'audio', 'video', 'file');
export type BlobKind = Static<typeof BlobKind>;

const pixels = Type.Optional(whole(1, 1_000_000));
const mimeType = text(100);
const blobUrl = text(2000);
const about = { kind: BlobKind, name: Type.Optional(text(256)), width: pixels, height: pixels };

/** A blob that somebody else holds. What it says of itself is what its sender says: nobody has looked. */
export const LinkedBlob = closed({ ...about, url: blobUrl, mimeType: Type.Optional(mimeType), sizeBytes: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER)) });
export type LinkedBlob = Static<typeof LinkedBlob>;

/** The earlier name of a linked blob, which its shape still fits. */
export const MediaReference = LinkedBlob;
export type MediaReference = LinkedBlob;

/** A blob that the host holds: type, size and dimensions are what the host found in its bytes. `url` is there only in what a channel is given to send, and is valid for hours. */
export const StoredBlob = closed({ ...about, id: Digest, mimeType, sizeBytes: whole(0, Number.MAX_SAFE_INTEGER), url: Type.Optional(blobUrl) });
export type StoredBlob = Static<typeof StoredBlob>;

/** WGS 84, degrees. */
export const MediaLocation = closed({ kind: Type.Literal('location'), latitude: Type.Number({ minimum: -90, maximum: 90 }), longitude: Type.Number({ minimum: -180, maximum: 180 }), name: Type.Optional(text(256)) });
export type MediaLocation = Static<typeof MediaLocation>;

export const MediaContact = closed({
  kind: Type.Literal('contact'),
  name: text(256, { minLength: 1 }),
  phones: Type.Optional(Type.Array(text(64, { minLength: 1 }), { maxItems: 8 })),
  emails: Type.Optional(Type.Array(text(254, { minLength: 1 }), { maxItems: 8 })),
});
export type MediaContact = Static<typeof MediaContact>;

export const MediaBlock = Type.Union([LinkedBlob, StoredBlob, MediaLocation, MediaContact]);
export type MediaBlock = Static<typeof MediaBlock>;

/** What a channel hands over: it cannot know what the host has stored. */
export const ArrivingMedia = Type.Union([LinkedBlob, MediaLocation, MediaContact]);
export type ArrivingMedia = Static<typeof ArrivingMedia>;

/** Blocks of one message, whatever policy says. */
export const MEDIA_PER_MESSAGE = 16;
