// What `check` says of gates that are relaxed, and what counts all the same.
import { describe, expect, it } from 'vitest';
import { relaxToOf } from '../../host/registry/gate-rules.ts';
import type { Enablement } from '../../schemas/enablement.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { surveyHome } from '../support/registry.ts';

const register = (kind: string) => `gatehouse.register({ kind: '${kind}', handlers: {} });`;
const gate = (name: string, enablement: Partial<Enablement> = {}, mode: 'gate' | 'observer' = 'gate'): TestPlugin => ({ name, kind: 'moderation', source: register('moderation'), manifest: { moderation: { mode, phase: 'policy', directions: ['inbound'] } }, enablement });
const door = (enablement: Partial<Enablement>): TestPlugin => ({ name: 'door', kind: 'channel', source: register('channel'), enablement });

async function warningsOf(...plugins: readonly TestPlugin[]): Promise<readonly string[]> {
  await using home = await aHome(plugins);
  const { diagnostics, plugins: running } = await surveyHome(home.path);
  expect(running.map(({ instance }) => instance).toSorted()).toEqual(plugins.map(({ name }) => name).toSorted());
  return diagnostics.map(({ code, severity, instance, message }) => `${code} ${severity} ${instance}: ${message}`);
}

const locked = (where: string, mode: string, most: string) => `GATE_LOCKED warning door: '${where}' of 'door' makes the gate 'keeper' '${mode}', and its own enablement permits no less than '${most}'; that is what counts.`;
const unknown = (name: string, where = 'gates') => `GATE_UNKNOWN warning door: '${where}' of 'door' names '${name}', and no gate of that name is enabled.`;

describe('a gate that a channel relaxes', () => {
  it.for<[string, Partial<Enablement>, Partial<Enablement>, readonly string[]]>([
    ['is relaxed in silence when it is optional', {}, { gates: { keeper: 'skip' }, rooms: { ops: { gates: { keeper: 'flag' } } } }, []],
    ['is not relaxed when it is required', { required: true }, { gates: { keeper: 'flag' } }, [locked('gates', 'flag', 'enforce')]],
    ['is not relaxed in a room either', { required: true }, { rooms: { ops: { gates: { keeper: 'skip' } } } }, [locked("rooms['ops'].gates", 'skip', 'enforce')]],
    ['is relaxed as far as a required one permits', { required: true, relaxTo: 'flag' }, { gates: { keeper: 'flag' } }, []],
    ['is relaxed no further than that', { required: true, relaxTo: 'flag' }, { gates: { keeper: 'skip' } }, [locked('gates', 'skip', 'flag')]],
    ['is not relaxed when an optional one is locked', { relaxTo: 'enforce' }, { gates: { keeper: 'skip' } }, [locked('gates', 'skip', 'enforce')]],
    ['may be enforced by name', { required: true }, { gates: { keeper: 'enforce' } }, []],
    ['must be one that is there', {}, { gates: { keper: 'skip' } }, [unknown('keper')]],
    ['must be one that is there, in rooms too', {}, { rooms: { ops: { gates: { keper: 'skip' } } } }, [unknown('keper', "rooms['ops'].gates")]],
  ])('%s', async ([, ofGate, ofDoor, expected]) => {
    expect(await warningsOf(gate('keeper', ofGate), door(ofDoor))).toEqual(expected);
  });

  it('must be a gate: an observer is asked nothing, so nothing of it can be relaxed', async () => {
    expect(await warningsOf(gate('keeper', {}, 'observer'), door({ gates: { keeper: 'skip' } }))).toEqual([unknown('keeper')]);
  });

  it('permits nothing weaker than it says, whatever is required', () => {
    expect(relaxToOf({ required: true })).toBe('enforce');
    expect(relaxToOf({ required: false })).toBe('skip');
    expect(relaxToOf({ required: true, relaxTo: 'skip' })).toBe('skip');
    expect(relaxToOf({ required: false, relaxTo: 'enforce' })).toBe('enforce');
  });
});

describe('a gate that lets pass what it is late for', () => {
  it('is warned of', async () => {
    expect(await warningsOf(gate('keeper', { onTimeout: 'pass-with-flag' }))).toEqual(["GATE_PASSES_LATE warning keeper: Messages on which the gate 'keeper' gives no answer in time pass, with the flag 'timeout:keeper'."]);
    expect(await warningsOf(gate('keeper', { onTimeout: 'refuse' }))).toEqual([]);
  });

  it('says nothing of what is no gate', async () => {
    expect(await warningsOf(gate('watcher', { onTimeout: 'pass-with-flag' }, 'observer'))).toEqual([]);
  });
});
