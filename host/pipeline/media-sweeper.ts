// Lets go the files that nobody needs any more: too old, too many for their instance, or left by a crash without a row. Once an hour, and when the host starts.
import { MEDIA_DEFAULTS } from '../../schemas/policy.ts';
import { daysInMs, type MediaStore } from '../media/media-store.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';
import type { PluginDirectory } from './plugin-directory.ts';
import { policyOf } from './policy.ts';
import type { WallClock } from './wall-clock.ts';

export interface MediaSweepParts {
  readonly media: Pick<MediaStore, 'sweep'>;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly wallClock: Pick<WallClock, 'isBelieved'>;
}

/** An instance that is gone for now keeps its files as the defaults say. While the clock is doubted only quotas hold. */
export function mediaSweeper({ media, directory, wallClock }: MediaSweepParts): WorkerSpec {
  const retentionOf = (instance: string, isBelieved: boolean) => {
    const channel = directory.channel(instance);
    const { retentionDays, quotaBytes } = channel ? policyOf(channel.policy, '').media : MEDIA_DEFAULTS;
    return { ms: isBelieved ? daysInMs(retentionDays) : Infinity, quotaBytes };
  };
  const run = async (signal: AbortSignal) => {
    const isBelieved = await wallClock.isBelieved();
    await media.sweep((instance) => retentionOf(instance, isBelieved), () => signal.aborted);
  };
  return { name: 'media-sweeper', everyMs: 60 * 60_000, deadlineMs: 30 * 60_000, run };
}
