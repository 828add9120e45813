// What comes to a channel and makes no sense: its source is told by a typed error, it is published and counted, over HTTP and on a socket, through a real sandbox.
import { describe, expect, it } from 'vitest';
import { subscribe, type Events } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';

const SOURCE = `gatehouse.register({ kind: 'channel', handlers: {
  async receive(request) {
    const text = request.kind === 'http' ? request.body : (request.text ?? '');
    if (text === 'odd') throw Object.assign(new Error('a letter needs a room'), { name: 'PluginError', code: 'LETTER_ODD', retry: false });
    if (text === 'bug') throw new TypeError('secret of the plugin');
    if (text === 'shapeless') return { messages: [{ id: '' }] };
    return {};
  },
  send: () => ({ actions: [] }),
} });`;

describe('what a channel cannot read', () => {
  it('is told to its source, published and counted, and nothing of it is dropped in silence', async () => {
    await using home = await aHome();
    await home.add({
      name: 'door', kind: 'channel', source: SOURCE,
      manifest: {
        channel: {
          abilities: ['receive', 'send'],
          ingress: [{ method: 'POST', path: '/in', bodyLimitBytes: 20, verify: { scheme: 'none' } }],
          socket: { path: '/ws', conversation: { query: 'c' }, origin: 'any', maxFrameBytes: 1000 },
        },
      },
    });
    const events: Events['channel.unread'][] = [];
    const stop = subscribe('channel.unread', (event) => void (event.instance === 'door' && events.push(event)));
    await using gatehouse = await startGatehouse(home);
    const post = async (body: string | Uint8Array<ArrayBuffer>) => {
      const { status, text } = await gatehouse.fetch('/channels/door/in', { method: 'POST', body });
      return { status, ...(text === '' ? {} : (JSON.parse(text) as { code: string; detail: string })) };
    };

    expect(await post('fine')).toEqual({ status: 204 });
    expect(await post('odd')).toMatchObject({ status: 422, code: 'INGRESS_PAYLOAD', detail: "The channel 'door' cannot make sense of the request: a letter needs a room" });
    expect(await post('bug')).toMatchObject({ status: 502, code: 'CALL_FAILED', detail: expect.not.stringContaining('secret') as string });
    expect(await post('shapeless')).toMatchObject({ status: 502, code: 'RESULT_INVALID' });
    expect(await post('x'.repeat(21))).toMatchObject({ status: 413, code: 'INGRESS_TOO_LARGE' }); // by the control plane, before anybody reads it
    expect(await post(Uint8Array.of(0xc3, 0x28))).toMatchObject({ status: 400, code: 'INGRESS_BODY' });

    const frames: { type: string; code: string; message: string }[] = [];
    const socket = new WebSocket(`${gatehouse.address.replace('http', 'ws')}/channels/door/ws?c=room`);
    socket.addEventListener('message', ({ data }) => frames.push(JSON.parse(String(data)) as (typeof frames)[number]));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    socket.send('odd');
    socket.send('bug');
    await eventually(() => expect(frames).toEqual([
      { type: 'error', code: 'INGRESS_PAYLOAD', message: 'a letter needs a room' },
      { type: 'error', code: 'CALL_FAILED', message: 'The channel could not read this.' },
    ]));
    socket.close();
    stop();

    expect(events.map(({ kind, code, failure }) => `${kind} ${code} ${failure}`)).toEqual([
      'http INGRESS_PAYLOAD terminal',
      'http CALL_FAILED retry',
      'http RESULT_INVALID terminal',
      'http INGRESS_BODY terminal',
      'frame INGRESS_PAYLOAD terminal',
      'frame CALL_FAILED retry',
    ]);
    expect((await gatehouse.fetch('/metrics')).text).toContain('gatehouse_channel_unread_total{instance="door",code="INGRESS_PAYLOAD",class="terminal"} 2');
  });
});
