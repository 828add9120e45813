// Whether an address can be listened on, tried for a moment. Asked before a start, so that a taken port ends it before anything else is running.
import { createServer } from 'node:net';
import { httpAddress, type ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';

/** Throws LISTEN_FAILED. Somebody may still take it afterwards; the server then says the same. */
export async function assertFree(listen: ResolvedConfig['listen']): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new GatehouseError('LISTEN_FAILED', { address: httpAddress(listen), problem: problemOf(cause) }, { cause })));
    server.listen(listen.port, listen.host, () => server.close(() => resolve()));
  });
}
