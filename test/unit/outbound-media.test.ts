// Stored files on their way out: served where a message of their own channel carried them or in the name of a skill that was handed them, and to nobody else who knows their digest.
import { describe, expect, it } from 'vitest';
import { outboundMedia } from '../../host/pipeline/delivery/outbound-media.ts';
import type { MessageRow } from '../../host/store/tables.ts';
import { instanceId } from '../support/ids.ts';

const ID = `sha256:${'a'.repeat(64)}` as const;

async function leaving(instance: string, author: string): Promise<string> {
  const fit = outboundMedia({
    media: { find: () => Promise.resolve({ mimeType: 'image/png', sizeBytes: 10, firstAtMs: 0 } as never), maySend: (_, { channel, author: asks }) => Promise.resolve(channel === 'door' || asks === 'curator') },
    links: { pathOf: () => '/media/signed' },
    directory: { channel: () => undefined },
    filesUrl: 'https://chat.example.com',
  });
  const row = { id: '0197a0c4-0000-7000-8000-000000000000', instance: instanceId(instance), conversation: 'c', sender: { id: author }, text: 'look', at: '2026-01-15T00:00:00.000Z', media: [{ kind: 'image', id: ID, mimeType: 'image/png', sizeBytes: 10, name: 'cat.png' }] } as unknown as MessageRow;
  const fitted = await fit(row);
  if ('unsupported' in fitted) throw new Error(fitted.unsupported);
  return fitted.row.text;
}

describe('a stored file', () => {
  it('has an address on the channel it came through', async () => {
    expect(await leaving('door', 'gossip')).toContain('https://chat.example.com/media/signed');
  });

  it('has one in the reply of a skill that was handed it', async () => {
    expect(await leaving('window', 'curator')).toContain('https://chat.example.com/media/signed');
  });

  it('has none on another channel, whatever a plugin there knows of it', async () => {
    const text = await leaving('window', 'gossip');
    expect(text).toContain('look');
    expect(text).not.toContain('/media/');
  });
});
