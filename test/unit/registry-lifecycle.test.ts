// The transition table: which moves there are, and what must hold of them all.
import { describe, expect, it } from 'vitest';
import { PluginState } from '../../schemas/control.ts';
import { compileSchema } from '../../host/schema.ts';
import { MOVES, assertMove, isAvailable } from '../../host/registry/lifecycle.ts';

const STATES = Object.keys(MOVES).filter(compileSchema(PluginState).is).sort();
const reachable = (from: PluginState): Set<PluginState> => {
  const seen = new Set<PluginState>();
  const ahead = [from];
  for (let state = ahead.pop(); state; state = ahead.pop()) {
    const unseen = MOVES[state].filter((next) => !seen.has(next));
    for (const next of unseen) seen.add(next);
    ahead.push(...unseen);
  }
  return seen;
};

describe('the transition table', () => {
  it('has a row for every state there is, and no other', () => {
    expect(STATES).toHaveLength(16);
    expect(Object.keys(MOVES)).toHaveLength(16);
  });

  it.each(STATES)('lets %s be quarantined, revoked and switched off, and never move to itself', (state) => {
    for (const end of ['quarantined', 'revoked', 'disabled'] as const) expect([state, ...MOVES[state]]).toContain(end);
    expect(MOVES[state]).not.toContain(state);
  });

  it.each(STATES)('leads from discovered to %s, and from %s back to active', (state) => {
    expect([...reachable('discovered'), 'discovered']).toContain(state);
    expect([...reachable(state)]).toContain('active');
  });

  it('lets nothing run that was not approved first, and out of quarantine only by release', () => {
    const into = (state: PluginState) => STATES.filter((from) => MOVES[from].includes(state)).sort();
    expect(into('active')).toEqual(['impaired', 'starting']);
    expect(into('starting')).toEqual(['approved', 'backoff', 'hibernated', 'stopped']);
    expect(into('approved')).toEqual(['pending-approval', 'quarantined', 'scanned', 'verified']);
    expect(MOVES.quarantined).toEqual(['pending-approval', 'approved', 'revoked', 'disabled']);
    expect(MOVES.revoked.some(isAvailable)).toBe(false);
  });

  it.each<[PluginState, PluginState]>([['discovered', 'active'], ['quarantined', 'active'], ['quarantined', 'starting'], ['disabled', 'starting'], ['revoked', 'approved'], ['draining', 'active'], ['rejected', 'approved'], ['pending-approval', 'starting'], ['active', 'active']])('refuses %s → %s by name', (from, to) => {
    expect(() => assertMove('a', from, to)).toThrow(expect.objectContaining({ code: 'TRANSITION_ILLEGAL', fields: { instance: 'a', from, to } }));
  });
});
