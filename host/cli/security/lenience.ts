// Where the operator let go of something that would be stricter by default: gates, approvals, scans, walls, tokens. Asked by the audit.
import type { GatesPolicy } from '../../../schemas/policy.ts';
import { PROVIDERS, WALLS } from '../../sandbox/walls.ts';
import type { AuditedHome, AuditedInstance, SecurityCheck } from './check.ts';

const gatesOf = ({ instances }: AuditedHome) => instances.filter(({ manifest }) => manifest?.moderation?.mode === 'gate');

export const gateBypass: SecurityCheck = {
  severity: 'high',
  why: 'Whoever brings the gate down has every message pass.',
  look: (home) => gatesOf(home).filter(({ enablement }) => enablement.onQuarantine === 'bypass').map(({ name, file }) => ({ where: name, found: 'while this gate is in quarantine, messages pass with a flag', fix: `Set "onQuarantine": "hold" in ${file}: they wait, and are judged in order on release.` })),
};

export const gateLate: SecurityCheck = {
  severity: 'medium',
  why: 'Whoever makes the gate slow has messages pass that it did not judge.',
  look: (home) => gatesOf(home).filter(({ enablement }) => enablement.onTimeout === 'pass-with-flag').map(({ name, file }) => ({ where: name, found: 'what this gate does not answer in time passes with a flag', fix: `Take "onTimeout" out of ${file}.` })),
};

export const gateRelaxed: SecurityCheck = {
  severity: 'low',
  why: 'What a gate refuses elsewhere is let through there.',
  look: ({ instances }) => instances.flatMap((instance) => relaxedIn(instance).map(({ place, gate, mode }) => ({ where: instance.name, found: mode === 'skip' ? `${place} does not ask the gate '${gate}'` : `in ${place} the gate '${gate}' only flags`, fix: `Take it out of ${instance.file} when it is no longer needed; a required gate is not relaxed unless its own \`relaxTo\` says so.` }))),
};

function relaxedIn({ enablement: { gates, rooms } }: AuditedInstance): { readonly place: string; readonly gate: string; readonly mode: string }[] {
  const of = (place: string, policy: GatesPolicy = {}) => Object.entries(policy).filter(([, mode]) => mode !== 'enforce').map(([gate, mode]) => ({ place, gate, mode }));
  return [...of('the instance', gates), ...Object.entries(rooms).flatMap(([room, policy]) => of(`the room '${room.slice(0, 40)}'`, policy.gates))];
}

export const weakConfinement: SecurityCheck = {
  severity: 'high',
  why: 'Code that breaks out of the isolate then meets less than the least that strict demands.',
  look: ({ confinement: { diagnostics } }) => diagnostics.map(({ message, fix }) => ({ where: 'sandbox', found: message, fix })),
};

export const missingWalls: SecurityCheck = {
  severity: 'low',
  why: 'Each wall is one thing more that an attacker inside must get past.',
  look: ({ confinement: { level } }) => (level?.missing ?? []).map(({ wall, why }) => ({ where: 'sandbox', found: `without ${wall} (${WALLS[wall]}): ${why}`, fix: `It comes with ${PROVIDERS[wall]}. See the section on confinement in docs/operate.md.` })),
};
