// Webhook: messages in by signed POSTs, replies out by signed POSTs or read by GET. The host checks every signature before this code sees a request.
import { defineChannel, type ChannelRequest, type PluginContext, type ReceiveResult } from '@gatehouse/plugin-sdk';
import { parseMessage, type MessageRules } from './parse-message.ts';
import { problem } from './problem.ts';
import { readReplies } from './read-replies.ts';

interface Config extends MessageRules {
  readonly replyUrl?: string;
}

export default defineChannel<Config>({
  async receive(request, ctx) {
    if (request.kind !== 'http') return {};
    return request.method === 'GET' ? { respond: await listReplies(request, ctx) } : takeMessage(request.body, ctx);
  },

  send({ id, inReplyTo, conversation, thread, account, text, at }, ctx) {
    const { replyUrl } = ctx.config;
    if (replyUrl === undefined) return { actions: [] }; // delivered by being readable
    const headers = { 'content-type': 'application/json', 'idempotency-key': id };
    return { actions: [{ request: { method: 'POST', url: replyUrl, headers, body: JSON.stringify({ id, inReplyTo, conversation, thread, account, text, at }), secrets: ['signing'] } }] };
  },
});

function takeMessage(body: string, ctx: PluginContext<Config>): ReceiveResult {
  const parsed = parseMessage(body, ctx.config, ctx.now);
  return parsed.ok ? { messages: [parsed.message] } : { respond: problem(parsed.status, parsed.reason) };
}

async function listReplies({ params, query }: Extract<ChannelRequest, { kind: 'http' }>, ctx: PluginContext<Config>) {
  const { conversation = '' } = params;
  const { after = '', ...unknown } = query;
  const [surplus] = Object.keys(unknown);
  if (surplus !== undefined) return problem(400, `there is no query parameter '${surplus.slice(0, 40)}'; only 'after' is known`);
  return { status: 200, headers: { 'cache-control': 'no-store' }, body: { ...(await readReplies(conversation, after, ctx)) } };
}
