// In strict, nothing runs but what the lock names: exactly this package, signed by whom it was, given exactly this. What approvals and the scan were at the time is for `gatehouse lock --check`.
import { GatehouseError } from '../../errors.ts';
import { at } from '../lock.ts';
import { NO_OBJECTION, type AdmissionRule } from './rule.ts';

export const lock: AdmissionRule = ({ release: { manifest: { id, version }, packageDigest, keyid, publisher }, loaded: { enablement: { instance } }, settings: { grantsDigest }, context }) => {
  if (!context.lock) return NO_OBJECTION;
  const locked = at(context.lock, instance);
  if (!locked) return { refusals: [new GatehouseError('LOCK_MISSING', { instance, plugin: id, version })] };
  const different = [
    ...(locked.plugin === id ? [] : [`the plugin is ${id}, locked is ${locked.plugin}`]),
    ...(locked.publisher === publisher ? [] : [`its publisher is ${publisher}, locked is ${locked.publisher}`]),
    ...(locked.keyid === keyid ? [] : [`it is signed by ${keyid}, locked is ${locked.keyid}`]),
    ...(locked.packageDigest === packageDigest ? [] : [`the package is ${version} ${packageDigest}, locked is ${locked.version} ${locked.packageDigest}`]),
    ...(locked.grantsDigest === grantsDigest ? [] : [`its grants have the digest ${grantsDigest}, locked is ${locked.grantsDigest}`]),
  ];
  return different.length === 0 ? NO_OBJECTION : { refusals: [new GatehouseError('LOCK_MISMATCH', { instance, problem: different.join('; ') })] };
};
