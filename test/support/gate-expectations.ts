// What gates at work must leave behind, and a host for a whole suite. For test/scenario/gates.test.ts and its neighbours.
//
// Concurrent tests stand in suites of their own: shuffled among others they would run one by one.
import { afterAll, beforeAll } from 'vitest';
import type { GateMark } from '../../schemas/message.ts';
import { GATES, gateWorld, sha256, type DoorKind, type GateName, type GateWorld, type WorldOptions } from './gate-world.ts';

export const DOORS: readonly DoorKind[] = ['http', 'socket'];
export const everywhere = DOORS.flatMap((door) => GATES.map((gate) => ({ door, gate })));

/** The record of a round in which this gate said so and all others passed. */
export const round = (gate: GateName, decision: string) => GATES.map((each) => `${each} ${each === gate ? decision : 'pass'}`);

/** The record up to this gate, which ended the round. */
export const roundUpTo = (gate: GateName, decision: string) => round(gate, decision).slice(0, GATES.indexOf(gate) + 1);

/** One host for a whole suite. */
export function aWorld(options: WorldOptions = {}): { readonly world: GateWorld } {
  let world: GateWorld | undefined;
  beforeAll(async () => {
    world = await gateWorld(options);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });
  return {
    get world() {
      if (!world) throw new Error('the host is not up yet');
      return world;
    },
  };
}

export interface Kept {
  readonly text: string;
  readonly flags?: readonly string[];
  readonly provenance?: readonly GateMark[];
  readonly originalSha256?: string;
}

/** What must be known of a text that a gate let go on. */
export function keptAfter(effect: string, gate: GateName, text: string, order: string): Kept {
  switch (effect) {
    case 'modify': {
      const changed = text.replace(order, `<${gate}>`);
      return { text: changed, flags: [], originalSha256: sha256(text), provenance: [{ gate, effect: 'modify', before: sha256(text), after: sha256(changed) }] };
    }
    case 'flag':
      return { text, flags: [`noted-${gate}`], provenance: [{ gate, effect: 'flag', labels: [`noted-${gate}`] }] };
    case 'timeout':
      return { text, flags: [`timeout:${gate}`], provenance: [{ gate, effect: 'timeout' }] };
    default:
      return { text, flags: [] };
  }
}

export const shown = ({ text = '', flags = [], provenance, originalSha256 }: Partial<Kept>): Kept => ({ text, flags, ...(provenance && { provenance }), ...(originalSha256 !== undefined && { originalSha256 }) });
