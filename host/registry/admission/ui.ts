// Pages of a channel with `ui` run as part of the host's own origin: whoever else asks for it is refused for asking.
import { GatehouseError } from '../../errors.ts';
import { refuseWhen, type AdmissionRule } from './rule.ts';

export const ui: AdmissionRule = ({ release: { manifest, publisher } }) =>
  refuseWhen((manifest.capabilities ?? []).some(({ name }) => name === 'ui') && !(manifest.id === 'gatehouse.webchat' && publisher === 'gatehouse'), () => new GatehouseError('UI_FIRST_PARTY', { plugin: manifest.id }));
