// For whom a message waits: its channel instance, and among those its sender. Lanes and calls into plugins take turns by it.
import type { Message } from '../../../schemas/message.ts';
import type { Turn } from '../../store/fair-turns.ts';

export const turnOf = ({ instance, sender }: Pick<Message, 'instance' | 'sender'>): Turn => ({ party: instance, member: sender.id });
