// How a door says no: the typed error of a refusal, or nothing when the input was taken. Whatever else is thrown fails the test.
import { GatehouseError } from '../../host/errors.ts';

export async function refusalOf(work: () => unknown): Promise<GatehouseError | undefined> {
  try {
    await work();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return thrown;
    throw thrown;
  }
}
