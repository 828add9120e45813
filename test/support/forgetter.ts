// A process that forgets every message of a store, over and over, telling of each commit; tests kill it in the middle.
import { systemClock } from '../../host/clock.ts';
import { subscribe } from '../../host/events.ts';
import { forgetMessages } from '../../host/pipeline/retention.ts';
import { openStore } from '../../host/store/lmdb.ts';

const store = await openStore({ dir: String(process.argv[2]), clock: systemClock });
subscribe('store.commit', () => process.stdout.write('commit\n'));
await forgetMessages({ store, clock: systemClock, beforeMs: Infinity, most: Infinity, signal: new AbortController().signal });
await store[Symbol.asyncDispose]();
