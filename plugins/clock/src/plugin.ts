// Clock: the tools `gatehouse.clock/now` and `gatehouse.clock/zones`.
import { defineTool, PluginError } from '@gatehouse/plugin-sdk';
import { nearestZones } from './nearest-zones.ts';
import { timeIn } from './time-in.ts';

export default defineTool({
  now({ zone = 'UTC' }: { zone?: string }, ctx) {
    const time = timeIn(zone, ctx.now);
    if (time === null) throw new PluginError('ZONE_UNKNOWN', `There is no time zone '${zone}'. The nearest is '${nearestZones(zone, 1).join()}'.`);
    return { ...time };
  },

  zones({ like, limit = 3 }: { like: string; limit?: number }) {
    return { zones: nearestZones(like, limit) };
  },
});
