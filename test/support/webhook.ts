// A system on the other side of the webhook channel: signs what it posts and what it reads, as docs and contract say.
import { createHmac } from 'node:crypto';

export interface WebhookClient {
  post(message: { readonly id: string; readonly conversation: string; readonly text: string; readonly sender?: string }): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  raw(body: string, signature?: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  replies(conversation: string, after?: string): Promise<{ readonly items: readonly { readonly id: string; readonly inReplyTo: string; readonly text: string }[]; readonly cursor: string | null }>;
}

export const signatureOf = (secret: string, text: string) => `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;

export function webhookClient(address: string, secret: string, instance = 'webhook'): WebhookClient {
  const base = `/channels/${instance}`;
  const raw = async (body: string, signature = signatureOf(secret, body)) => {
    const response = await fetch(`${address}${base}/messages`, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-gatehouse-signature': signature } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return {
    raw,
    post: ({ sender = 'someone', ...message }) => raw(JSON.stringify({ ...message, sender: { id: sender } })),
    async replies(conversation, after = '') {
      const target = `${base}/conversations/${encodeURIComponent(conversation)}/messages?after=${after}`;
      const response = await fetch(`${address}${target}`, { headers: { 'x-gatehouse-signature': signatureOf(secret, target) } });
      if (response.status !== 200) throw new Error(`reading replies: ${response.status} ${await response.text()}`);
      return (await response.json()) as Awaited<ReturnType<WebhookClient['replies']>>;
    },
  };
}
