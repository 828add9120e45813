// Who signs may not change by itself: a stolen or a second key that the operator trusts for this publisher is still not who was agreed to for this instance. Asked at every look, so that a restart agrees to nothing.
import { GatehouseError } from '../../errors.ts';
import { approvalsNeeded, decisionsFor } from './approvals.ts';
import { NO_OBJECTION, type AdmissionRule } from './rule.ts';

/** From one development key to another is a builder's ordinary day. */
export const signer: AdmissionRule = ({ release, loaded: { enablement }, settings: { grantsDigest }, context: { history, config, approvals, agreed } }) => {
  const { manifest: { id, version }, packageDigest, keyid, development } = release;
  const { instance } = enablement;
  const before = history.signerOf(instance, id);
  if (before === undefined || before.keyid === keyid || before.agreed === keyid || (before.development && development)) return NO_OBJECTION;
  if (agreed === instance || approvalsNeeded(enablement, config.trust) > 0) return NO_OBJECTION;
  // A reviewer's word is about content. Given for what ran, it says nothing about somebody else who signs the same.
  const isNewContent = history.digestOf(id, version) !== packageDigest;
  if (isNewContent && decisionsFor({ instance, release, grantsDigest }, approvals).approvals.length > 0) return NO_OBJECTION;
  return { refusals: [new GatehouseError('SIGNER_CHANGED', { instance, plugin: id, version, before: before.keyid, after: keyid, changes: '' })] };
};
