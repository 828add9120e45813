// What a token may be allowed to do. Every route of the control plane names one scope.

export const SCOPES = ['*', 'control:write', 'status:read', 'plugins:read', 'plugins:write', 'review', 'messages:read', 'messages:write', 'dead-letters:read', 'dead-letters:write', 'metrics:read', 'events:read', 'audit:read', 'backups:read', 'backups:write', 'config:read', 'config:write', 'tokens:read', 'tokens:write', 'costs:read', 'pairing:read', 'pairing:write', 'export:read'] as const;

export type Scope = (typeof SCOPES)[number];

export const isScope = (name: string): name is Scope => SCOPES.some((each) => each === name);

/** `*` is every scope there is and will be; `control:write` every `…:write` but that of tokens. No scopes permit nothing. */
export function permits(granted: readonly string[], needed: string): boolean {
  if (granted.includes('*') || granted.includes(needed)) return true;
  return granted.includes('control:write') && needed.endsWith(':write') && needed !== 'tokens:write';
}

/** Whether whoever has `granted` has all of these as well. */
export const permitsAll = (granted: readonly string[], scopes: readonly string[]): boolean => scopes.every((scope) => permits(granted, scope));
