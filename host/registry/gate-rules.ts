// How far gates may be relaxed, and what an operator should know about gates that are. Asked by among.ts for `check` and every start, and by directory.ts for every message.
import { GATE_MODES, type GateMode, type GatesPolicy } from '../../schemas/policy.ts';
import { GatehouseError } from '../errors.ts';
import type { ResolvedEnablement } from './enablement-file.ts';
import type { Candidate, Finding } from './examine.ts';

/** The weakest that a channel or a room may make of a gate: of a required one nothing, unless its own enablement says so. */
export function relaxToOf({ relaxTo, required }: Pick<ResolvedEnablement, 'relaxTo' | 'required'>): GateMode {
  return relaxTo ?? (required ? 'enforce' : 'skip');
}

/** Warnings only: a gate that may not be relaxed is enforced whatever its name stands beside, and so is one that nobody knows. */
export function judgeGates(candidates: readonly Candidate[]): void {
  const gates = new Map(candidates.filter(isGate).map(({ loaded: { enablement } }) => [enablement.instance, enablement]));
  for (const { loaded, findings } of candidates) {
    const { instance, onTimeout } = loaded.enablement;
    if (gates.has(instance) && onTimeout === 'pass-with-flag') findings.push(warning('on-timeout', new GatehouseError('GATE_PASSES_LATE', { instance })));
    for (const { where, policy } of policiesOf(loaded.enablement)) {
      for (const [gate, mode] of Object.entries(policy)) {
        const enablement = gates.get(gate);
        if (!enablement) findings.push(warning('gates', new GatehouseError('GATE_UNKNOWN', { instance, gate, where })));
        else if (isWeaker(mode, relaxToOf(enablement))) findings.push(warning('gates', new GatehouseError('GATE_LOCKED', { instance, gate, where, mode, most: relaxToOf(enablement) })));
      }
    }
  }
}

/** Also one whose package is refused: it lets nothing pass, and is a gate all the same. */
const isGate = ({ release, claimed }: Candidate) => (release?.manifest ?? claimed)?.moderation?.mode === 'gate';

const isWeaker = (mode: GateMode, least: GateMode) => GATE_MODES.indexOf(mode) > GATE_MODES.indexOf(least);

const warning = (rule: string, error: GatehouseError): Finding => ({ rule, error, warning: true });

function policiesOf({ gates, rooms }: ResolvedEnablement): { readonly where: string; readonly policy: GatesPolicy }[] {
  const inRooms = Object.entries(rooms).flatMap(([room, { gates: policy }]) => (policy ? [{ where: `rooms['${room.slice(0, 40)}'].gates`, policy }] : []));
  return [{ where: 'gates', policy: gates }, ...inRooms];
}
