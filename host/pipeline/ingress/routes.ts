// Finds the ingress route of a request target. Works on the raw target: each segment is decoded by itself, so an encoded slash stays inside its segment.
import type { IngressRoute } from '../../../schemas/ingress.ts';

export interface RouteMatch {
  readonly route: IngressRoute;
  /** Path below the channel, decoded. */
  readonly path: string;
  readonly params: Record<string, string>;
}

/** `target` is `/channels/<instance>/…[?query]`. Undefined when no route fits or a segment is not decodable. */
export function matchRoute(routes: readonly IngressRoute[], instance: string, method: string, target: string): RouteMatch | undefined {
  const raw = target.split('?', 1)[0] ?? '';
  const prefix = `/channels/${instance}`;
  if (!raw.startsWith(`${prefix}/`)) return undefined;
  const segments: string[] = [];
  for (const part of raw.slice(prefix.length + 1).split('/')) {
    const segment = decode(part);
    if (segment === undefined) return undefined;
    segments.push(segment);
  }
  for (const route of routes) {
    if (route.method !== method) continue;
    const params = matchSegments(route.path.slice(1).split('/'), segments);
    if (params) return { route, path: `/${segments.join('/')}`, params };
  }
  return undefined;
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = Object.create(null);
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith(':')) {
      if (segment === '') return undefined;
      params[part.slice(1)] = segment;
    } else if (part !== segment) return undefined;
  }
  return params;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
