// Who speaks in a conversation. Its id is a secret that the page made: whoever knows it is the visitor, so it must not show up as a sender.

/** 22 characters of base64url carry the 128 random bits that nobody guesses. */
export const isConversation = (id: string): boolean => /^[A-Za-z0-9_-]{22,128}$/.test(id);

/** `visitor-1a2b3c4d`: tells visitors apart and gives away 32 of the id's bits at most, whatever the function is. FNV-1a, 32 bits. */
export function visitorOf(conversation: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < conversation.length; index++) hash = Math.imul(hash ^ conversation.charCodeAt(index), 0x01000193);
  return `visitor-${(hash >>> 0).toString(16).padStart(8, '0')}`;
}
