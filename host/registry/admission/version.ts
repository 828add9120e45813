// The version that the enablement asks for, and what the past says of it: nothing older than what ran, nothing else under a name that is known.
import semver from 'semver';
import { GatehouseError } from '../../errors.ts';
import { refuseWhen, type AdmissionRule } from './rule.ts';

export const version: AdmissionRule = ({ release: { manifest }, loaded: { file, enablement } }) =>
  refuseWhen(!semver.satisfies(manifest.version, enablement.version), () => new GatehouseError('VERSION_UNSATISFIED', { plugin: manifest.id, version: manifest.version, range: enablement.version, source: file }));

/** Attack 104 rollback: an old release stays genuine for ever. */
export const rollback: AdmissionRule = ({ release: { manifest }, loaded: { enablement }, context: { history } }) => {
  const { instance, allowRollback } = enablement;
  const highest = history.highestVersion(instance, manifest.id);
  return refuseWhen(!allowRollback && highest !== undefined && semver.lt(manifest.version, highest), () => new GatehouseError('ROLLBACK', { plugin: manifest.id, version: manifest.version, highest, instance }));
};

/** Except for development keys, whose holder builds again and again. */
export const sameVersion: AdmissionRule = ({ release: { manifest, packageDigest: digest, development }, context: { history } }) => {
  const seen = history.digestOf(manifest.id, manifest.version);
  return refuseWhen(!development && seen !== undefined && seen !== digest, () => new GatehouseError('SAME_VERSION_CHANGED', { plugin: manifest.id, version: manifest.version, digest, seen }));
};
