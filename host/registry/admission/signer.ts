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
  if (agreed === instance) return NO_OBJECTION;
  const isNewContent = history.digestOf(id, version) !== packageDigest;
  if (isNewContent && approvalsNeeded(enablement, config.trust) > 0) return NO_OBJECTION; // the rule of approvals asks for a word about it
  // A reviewer's word that names no signer is about content: given for what ran, it says nothing about somebody else who signs the same.
  const words = decisionsFor({ instance, release, grantsDigest }, approvals).approvals;
  if (words.some(({ signedBy }) => isNewContent || signedBy === keyid)) return NO_OBJECTION;
  return { refusals: [new GatehouseError('SIGNER_CHANGED', { instance, plugin: id, version, before: before.keyid, after: keyid, changes: '' })] };
};
