// `ctx.sleep(ms)`: waits in the host. Clamped to at least 10 ms so that it is no fine timer; needs no grant.
import { Type } from 'typebox';
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed } from '../../schemas/closed.ts';
import { compileSchema } from '../schema.ts';
import { operation } from './capability.ts';

const request = compileSchema<{ ms: number }>(closed({ ms: Type.Number({ minimum: 0, maximum: BOUNDS.sleepMaxMs }) }));

export const sleep = operation<{ ms: number }, never>({
  op: 'sleep',
  capability: null,
  request,
  authorize: () => undefined,
  async perform({ ms }, _caller, scope) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(BOUNDS.sleepMinMs, ms));
      scope.onRelease(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return null;
  },
});
