// `/time <zone>`: asks the clock tool, and says in plain words what went wrong when it cannot tell.
import { hasCode, type JsonValue, type PluginContext } from '@gatehouse/plugin-sdk';

const MOST_ZONE_CHARACTERS = 64;

export async function timeReply(argument: string, ctx: PluginContext): Promise<string> {
  const zone = argument === '' ? 'UTC' : argument;
  if (zone.length > MOST_ZONE_CHARACTERS) return 'That is no time zone I could look up. Try /time Europe/Berlin';
  try {
    const time = await ctx.tool.call('gatehouse.clock/now', { zone });
    return `${textIn(time, 'local')} in ${textIn(time, 'zone')} (UTC${textIn(time, 'offset')})`;
  } catch (error) {
    if (hasCode(error, 'TOOL_FAILED')) return await suggestion(zone, ctx);
    if (!hasCode(error, 'TOOL_UNKNOWN', 'CAPABILITY_DENIED', 'QUOTA_EXCEEDED')) throw error;
    ctx.log.warn('the clock cannot be read', { code: error.code });
    return error.code === 'QUOTA_EXCEEDED' ? 'I looked at the clock too often just now. Ask again in a minute.' : 'I have no clock here: the operator has not enabled gatehouse.clock, or not granted it to me.';
  }
}

async function suggestion(zone: string, ctx: PluginContext): Promise<string> {
  const found = await ctx.tool.call('gatehouse.clock/zones', { like: zone, limit: 3 });
  const zones = isObject(found) && Array.isArray(found['zones']) ? found['zones'].join(', ') : '';
  return zones === '' ? `I know no time zone “${zone}”.` : `I know no time zone “${zone}”. Perhaps one of these: ${zones}`;
}

/** The host has held the result against the tool's outputSchema; this says so to the compiler. */
function textIn(result: JsonValue, key: string): string {
  const value = isObject(result) ? result[key] : undefined;
  if (typeof value !== 'string') throw new TypeError(`The clock answered without '${key}'.`);
  return value;
}

const isObject = (value: JsonValue): value is { readonly [key: string]: JsonValue } => typeof value === 'object' && value !== null && !Array.isArray(value);
