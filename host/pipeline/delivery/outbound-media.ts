// Fits the blocks of a message to the channel it leaves by: stored files get their addresses, and what the channel cannot send becomes text. Asked by shape.ts at every try.
import type { StoredBlob } from '../../../schemas/media.ts';
import { MEDIA_DEFAULTS } from '../../../schemas/policy.ts';
import type { MediaLinks } from '../../media/links.ts';
import type { MediaStore } from '../../media/media-store.ts';
import { fitMedia, type Address } from '../../outbound/media-fallback.ts';
import type { MessageRow } from '../../store/tables.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';

export interface OutboundMediaParts {
  readonly media: Pick<MediaStore, 'find' | 'maySend'>;
  readonly links: Pick<MediaLinks, 'pathOf'>;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  /** The origin by which others reach this host; empty when nobody said. */
  readonly filesUrl: string;
}

/** The message as it is to be sent; the stored one stays what it is. */
export type FitMedia = (row: MessageRow) => Promise<{ readonly row: MessageRow } | { readonly unsupported: string }>;

export function outboundMedia({ media, links, directory, filesUrl }: OutboundMediaParts): FitMedia {
  return async (row) => {
    if (row.media.length === 0) return { row };
    const channel = directory.channel(row.instance);
    const { outbound } = channel ? policyOf(channel.policy, row.conversation).media : MEDIA_DEFAULTS;
    const can = channel?.can('media') ?? false;
    const addresses: Record<string, Address> = {};
    for (const block of row.media) if ('id' in block) Object.assign(addresses, await addressOf(block, row, can));
    const fitted = fitMedia(row, { can, outbound, addresses });
    return 'unsupported' in fitted ? fitted : { row: { ...row, ...fitted } };
  };

  /** A channel's own page may use a path; in a text it would lead nowhere. */
  async function addressOf({ id, name = '' }: StoredBlob, { at, instance, sender }: MessageRow, can: boolean): Promise<Record<string, Address>> {
    // Whoever only knows the digest of a file must not have it handed to somebody on a channel it never came through.
    const found = (await media.maySend(id, { channel: instance, author: sender.id })) ? await media.find(id) : undefined;
    if (!found) return {};
    const { mimeType, sizeBytes } = found;
    const hasUrl = can || filesUrl !== '';
    return { [id]: { mimeType, sizeBytes, ...(hasUrl && { url: `${filesUrl}${links.pathOf({ id, name, sinceMs: Date.parse(at) })}` }) } };
  }
}
