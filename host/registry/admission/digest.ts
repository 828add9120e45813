// The pin of the enablement: exactly this content, and strict runs nothing without one.
import { GatehouseError } from '../../errors.ts';
import { refuseWhen, type AdmissionRule } from './rule.ts';

export const digest: AdmissionRule = ({ release: { packageDigest }, loaded: { enablement }, context: { config } }) => {
  const { plugin, instance, digest: pinned } = enablement;
  if (pinned === undefined) return refuseWhen(config.strict, () => new GatehouseError('DIGEST_REQUIRED', { instance, digest: packageDigest }));
  return refuseWhen(pinned !== packageDigest, () => new GatehouseError('DIGEST_MISMATCH', { plugin, digest: packageDigest, pinned }));
};
