// The first version of a plugin, one per kind: small enough to read at once, and it does something. Used by new.ts.
import type { PluginKind } from '../../schemas/plugin-manifest.ts';

export interface Template {
  /** What it does, for plugin.json and the README. */
  readonly description: string;
  /** Laid over the manifest's common part. */
  readonly manifest: Readonly<Record<string, unknown>>;
  /** src/plugin.ts */
  readonly source: string;
  /** test/plugin.test.ts */
  readonly test: string;
}

const skill: Template = {
  description: 'Answers greetings.',
  manifest: { skill: { triggers: { always: true } } },
  source: `import { defineSkill } from '@gatehouse/plugin-sdk';

const GREETING = /^(hello|hi|good (morning|evening))\\b/i;

export default defineSkill({
  // Return replies to answer, or null to leave the message to the next skill.
  respond({ message }) {
    if (!GREETING.test(message.text)) return null;
    return { replies: [{ text: \`Hello \${message.sender.name ?? message.sender.id}!\` }] };
  },
});
`,
  test: `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runPlugin } from '@gatehouse/plugin-sdk/testing';
import plugin from '../src/plugin.ts';

const skill = runPlugin(plugin);

test('answers a greeting', async () => {
  assert.deepEqual(await skill.respond({ text: 'Hi there', sender: { id: 'ada' } }), { replies: [{ text: 'Hello ada!' }] });
});

test('leaves everything else to other skills', async () => {
  assert.equal(await skill.respond({ text: 'what time is it?' }), null);
});
`,
};

const moderation: Template = {
  description: 'Refuses messages that shout.',
  manifest: {
    config: { type: 'object', additionalProperties: false, properties: { minLetters: { type: 'integer', minimum: 1, maximum: 1000, description: 'Shorter messages never count as shouting. Default 12.' } } },
    moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] },
  },
  source: `import { defineModeration } from '@gatehouse/plugin-sdk';

interface Config {
  readonly minLetters?: number;
}

export default defineModeration<Config>({
  // Answer pass, deny, modify or flag. A gate that throws lets nothing through.
  evaluate({ message }, ctx) {
    const letters = message.text.replace(/\\P{L}/gu, '');
    const isShouting = letters.length >= (ctx.config.minLetters ?? 12) && letters === letters.toUpperCase() && letters !== letters.toLowerCase();
    return isShouting ? { effect: 'deny', reason: 'Please do not shout.' } : { effect: 'pass' };
  },
});
`,
  test: `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runPlugin } from '@gatehouse/plugin-sdk/testing';
import plugin from '../src/plugin.ts';

const gate = runPlugin(plugin);

test('refuses shouting', async () => {
  assert.equal((await gate.evaluate({ text: 'WHY DOES NOBODY ANSWER' })).effect, 'deny');
});

test('lets ordinary messages and short exclamations pass', async () => {
  assert.equal((await gate.evaluate({ text: 'Why does nobody answer?' })).effect, 'pass');
  assert.equal((await gate.evaluate({ text: 'OK!' })).effect, 'pass');
});
`,
};

const tool: Template = {
  description: 'Counts the words of a text.',
  manifest: {
    tools: [
      {
        name: 'count',
        description: 'Counts the words of a text.',
        inputSchema: { type: 'object', additionalProperties: false, required: ['text'], properties: { text: { type: 'string', maxLength: 60_000 } } },
        outputSchema: { type: 'object', additionalProperties: false, required: ['words'], properties: { words: { type: 'integer', minimum: 0 } } },
        effects: 'read',
        idempotent: true,
      },
    ],
  },
  source: `import { defineTool } from '@gatehouse/plugin-sdk';

// One function per tool of plugin.json. The host has held the arguments against inputSchema, and will hold the result against outputSchema.
export default defineTool({
  count: ({ text }: { text: string }) => ({ words: text.match(/\\S+/g)?.length ?? 0 }),
});
`,
  test: `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runPlugin } from '@gatehouse/plugin-sdk/testing';
import plugin from '../src/plugin.ts';

const tool = runPlugin(plugin);

test('counts words', async () => {
  assert.deepEqual(await tool.call('count', { text: ' two  words ' }), { words: 2 });
  assert.deepEqual(await tool.call('count', { text: '' }), { words: 0 });
});
`,
};

const channel: Template = {
  description: 'Takes messages as signed HTTP requests; replies are read back the same way.',
  manifest: {
    capabilities: [{ name: 'message.read', conversations: 'own', reason: 'To hand out the replies of a conversation.' }],
    channel: {
      abilities: ['receive', 'send'],
      ingress: [
        { method: 'POST', path: '/messages', verify: { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', prefix: 'sha256=', over: 'body' } },
        { method: 'GET', path: '/conversations/:id', verify: { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', prefix: 'sha256=', over: 'target' } },
      ],
    },
  },
  source: `import { defineChannel } from '@gatehouse/plugin-sdk';

export default defineChannel({
  // The host has checked the signature. Messages are answered by the host once they are durable; respond answers requests without messages.
  async receive(request, ctx) {
    if (request.kind !== 'http') return {};
    if (request.method === 'GET') {
      const { items } = await ctx.message.list(request.params['id'] ?? '', {});
      return { respond: { status: 200, body: items.filter(({ direction }) => direction === 'outbound').map(({ id, text }) => ({ id, text })) } };
    }
    const { id, conversation, user, text } = JSON.parse(request.body) as Record<string, string>;
    if (!id || !conversation || !user || !text) return { respond: { status: 400, body: { error: 'id, conversation, user and text are needed' } } };
    // The id is the sender's own: a request that comes twice is one message.
    return { messages: [{ id, conversation, sender: { id: user }, text }] };
  },

  // Nothing to do: a reply is delivered by being readable. To push it, return { actions: [{ request: { … } }] } and ask for http.fetch.
  send: () => ({ actions: [] }),
});
`,
  test: `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anHttpRequest, runPlugin } from '@gatehouse/plugin-sdk/testing';
import plugin from '../src/plugin.ts';

const channel = runPlugin(plugin);

test('turns a request into a message', async () => {
  const request = anHttpRequest({ path: '/messages', body: { id: '1', conversation: 'c', user: 'ada', text: 'hello' } });
  assert.deepEqual(await channel.receive(request), { messages: [{ id: '1', conversation: 'c', sender: { id: 'ada' }, text: 'hello' }] });
});

test('refuses a request with parts missing', async () => {
  assert.equal((await channel.receive(anHttpRequest({ path: '/messages', body: { id: '1' } }))).respond?.status, 400);
});
`,
};

export const TEMPLATES: Readonly<Record<PluginKind, Template>> = { channel, skill, moderation, tool };
