// The limits of a sandbox: what a manifest asks for, what the operator set instead, and the defaults. Called by examine.ts and whoever compares.
import { LIMITS } from '../../../schemas/bounds.ts';
import type { Limits } from '../../../schemas/plugin-manifest.ts';

export const LIMIT_NAMES = ['heapMb', 'cpuMsPerCall', 'wallMsPerCall', 'concurrency'] as const satisfies readonly (keyof Limits)[];

export function limitsOf(asked: Limits, given: Limits): Required<Limits> {
  const limit = (name: keyof Limits) => given[name] ?? asked[name] ?? LIMITS[name].default;
  return { heapMb: limit('heapMb'), cpuMsPerCall: limit('cpuMsPerCall'), wallMsPerCall: limit('wallMsPerCall'), concurrency: limit('concurrency') };
}
