// Says in plain words how a route of a channel knows whom to believe. Used wherever a person decides or is told: `plugins enable`, and what a reload held back.
import type { HmacScheme, IngressRoute, IngressVerification } from '../../../schemas/ingress.ts';

/** "from anyone", or what a request must bring; continues "takes POST /in …". */
export function describeVerification(verify: IngressVerification): string {
  switch (verify.scheme) {
    case 'none':
      return 'from anyone';
    case 'hmac-sha256':
      return `signed over the ${verify.over} with the secret '${verify.secret}'`;
    case 'hmac':
      return `signed by HMAC-${verify.algorithm.toUpperCase()} over '${verify.over}' with the secret '${verify.secret}'${timeText(verify.timestamp)}`;
    case 'ed25519':
      return `signed by Ed25519 over '${verify.over}' for the public key '${verify.publicKey}'${timeText(verify.timestamp)}`;
    case 'token':
      return `with the secret '${verify.secret}' in a header`;
    default:
      return verify satisfies never;
  }
}

export function describeRoute({ method, path, verify, sender }: IngressRoute): string {
  return `takes ${method} ${path} ${describeVerification(verify)}${describeSender(verify, sender)}`;
}

/** Empty where senders are no more than claimed. */
export function describeSender(verify: IngressVerification, sender: IngressRoute['sender']): string {
  return sender === 'verified' && verify.scheme !== 'none' ? ', and its senders count as verified' : '';
}

function timeText(timestamp: HmacScheme['timestamp']): string {
  if (!timestamp) return '';
  return `, at most ${timestamp.toleranceSeconds} s ago${timestamp.replay === 'allow' ? ', however often' : ', once'}`;
}
