// What a token may be allowed to do. Every route of the control plane names one scope.

export const SCOPES = ['*', 'status:read', 'plugins:read', 'plugins:write', 'review', 'messages:read', 'messages:write', 'dead-letters:read', 'dead-letters:write', 'metrics:read', 'events:read'] as const;

export type Scope = (typeof SCOPES)[number];

/** `*` is every scope there is and will be. */
export function permits(granted: readonly string[], needed: Scope): boolean {
  return granted.includes('*') || granted.includes(needed);
}
