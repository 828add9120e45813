// Approvals that the operator asks for: as many reviewers as the enablement says.
import { GatehouseError } from '../../errors.ts';
import { refuseWhen, type AdmissionRule } from './rule.ts';

export const approvals: AdmissionRule = ({ loaded: { enablement } }) =>
  refuseWhen(enablement.approvals > 0, () => new GatehouseError('APPROVAL_MISSING', { instance: enablement.instance, needed: enablement.approvals, found: 0 }));
