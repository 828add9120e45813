// Waits for something to become true instead of sleeping; every kind of test uses it.

const STEP_MS = 5;

/** Calls `check` until it returns without throwing, and returns its value; throws its last error once `withinMs` (default 60 s: what is right costs none of it, and a machine may be busy) have passed. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 60_000): Promise<T> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
  }
}
