// How the bytes of a file are got: the channel's `media` handler says, or the file's own address where it has none. Asked by the intake of media.
import { randomUUID } from 'node:crypto';
import type { IntakeParts } from '../../media/intake.ts';
import { askChannel } from '../channel-calls.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { PluginDirectory } from '../plugin-directory.ts';

export interface FileRequestParts {
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel'>;
}

/** A handler that only says where something is has nothing to keep: what it wrote is given up. */
export function fileRequestOf({ calls, directory }: FileRequestParts): IntakeParts['requestOf'] {
  return async (instance, conversation, media) => {
    const channel = directory.channel(instance);
    if (!channel) return undefined;
    const answer = await askChannel(calls, channel, 'media', { conversation, media }, { attemptKey: randomUUID(), waitMs: channel.wallMs });
    if (!answer.ok) return undefined;
    if (answer.by === 'channel') answer.scope.release();
    const { url, headers, secrets } = answer.value.request;
    return { url, ...(headers && { headers }), ...(secrets && { secrets }) };
  };
}
