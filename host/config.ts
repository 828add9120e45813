// The operator's settings, read once: default < manifests/host.json < GATEHOUSE_<PATH> < flag.
import type { Profile } from '../schemas/host-config.ts';

/** Settings with every default applied and every path absolute. */
export interface ResolvedConfig {
  readonly home: string;
  readonly dataDir: string;
  readonly manifestsDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly hosts: readonly string[];
  readonly profile: Profile;
  readonly strict: boolean;
  readonly collision: 'reject' | 'first' | 'last';
  readonly boot: { readonly deadlineMs: number };
  readonly egress: { readonly allow: readonly { host: string; scheme: 'http' | 'https'; port: number; address?: string }[] };
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
  readonly sandbox: { readonly warm: number; readonly jitless: boolean };
}
