// The lines of the three files that the checker reads: what the senders were told, what reached them, and what the host says it holds.

/** `acks.jsonl`: one line each time a sender was told what became of its message. The first answer counts; later ones may only repeat it. */
export interface Ack {
  readonly channel: string;
  readonly conversation: string;
  /** The sender's own id. */
  readonly id: string;
  readonly text: string;
  readonly status: 'accepted' | 'duplicate' | 'denied';
  /** Absent when denied. */
  readonly messageId?: string;
  /** What must become of it: one reply with exactly this text, no reply at all, or nothing stored. */
  readonly expect: { readonly reply: string } | 'silence' | 'nothing';
  /** Text that may stand in no message and in no delivery. */
  readonly forbidden?: string;
}

/** `deliveries.jsonl`: one line each time a reply reached the receiver's side, however often, in the order of arrival. */
export interface Delivery {
  readonly channel: string;
  readonly conversation: string;
  /** The host's id of the reply, which is its idempotency key. */
  readonly id: string;
  readonly inReplyTo: string | null;
  readonly text: string;
  /** A frame on a socket, a page that was read, a request that was posted. */
  readonly via: 'frame' | 'page' | 'post';
}

/** `export.jsonl`: every message the API lists, in any order. */
export interface Exported {
  readonly id: string;
  readonly instance: string;
  readonly conversation: string;
  readonly direction: 'inbound' | 'outbound';
  readonly outcome: string;
  readonly text?: string;
  readonly senderMessageId?: string;
  readonly inReplyTo?: string;
}
