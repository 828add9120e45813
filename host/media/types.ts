// The types of files that the host takes in: what each is for, what else it is called, and whether a browser may show it in place. inspect.ts decides with it, serving and policy read it.
import type { BlobKind } from '../../schemas/media.ts';

export interface KnownType {
  /** Beside `file`, which takes every type. */
  readonly kinds: readonly BlobKind[];
  /** Browsers draw or play it and run nothing in it. Everything else is offered to be saved. */
  readonly inline: boolean;
  /** What a name ends in that is given to others; `endings` are as good. */
  readonly extension: string;
  readonly endings?: readonly string[];
  /** What senders and servers call it as well. */
  readonly aliases?: readonly string[];
}

const image = (extension: string, more: Partial<KnownType> = {}): KnownType => ({ kinds: ['image'], inline: true, extension, ...more });
const audio = (extension: string, ...aliases: readonly string[]): KnownType => ({ kinds: ['audio'], inline: true, extension, aliases });
const video = (extension: string, inline: boolean, ...aliases: readonly string[]): KnownType => ({ kinds: ['video', 'audio'], inline, extension, aliases });
const file = (extension: string, ...aliases: readonly string[]): KnownType => ({ kinds: [], inline: false, extension, aliases });

/** By the name of the IANA registry where it has one. What is not here is not taken in: no markup, no scripts, no programs. */
export const TYPES: Readonly<Record<string, KnownType>> = {
  'image/png': image('png', { endings: ['apng'], aliases: ['image/apng', 'image/x-png'] }),
  'image/jpeg': image('jpg', { endings: ['jpeg', 'jpe', 'jfif'], aliases: ['image/jpg', 'image/pjpeg'] }),
  'image/gif': image('gif'),
  'image/webp': image('webp'),
  'image/avif': image('avif'),
  'image/heic': image('heic', { inline: false, endings: ['heif'], aliases: ['image/heif', 'image/heic-sequence', 'image/heif-sequence'] }),
  'audio/mpeg': audio('mp3', 'audio/mp3', 'audio/x-mpeg', 'audio/x-mp3'),
  'audio/ogg': { ...audio('ogg', 'audio/opus', 'audio/x-opus+ogg', 'application/ogg'), endings: ['oga', 'opus'] },
  'audio/wav': audio('wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave'),
  'audio/flac': audio('flac', 'audio/x-flac'),
  'audio/aac': audio('aac', 'audio/x-aac', 'audio/aacp'),
  'audio/amr': { ...audio('amr', 'audio/3gpp'), inline: false },
  'audio/mp4': audio('m4a', 'audio/x-m4a', 'audio/m4a', 'audio/aac', 'video/mp4'),
  // A container with a sound track alone is the same container: senders call it audio, and so may we.
  'video/mp4': { ...video('mp4', true, 'audio/mp4', 'audio/x-m4a', 'video/x-m4v'), endings: ['m4v', 'm4a'] },
  'video/webm': video('webm', true, 'audio/webm'),
  'video/quicktime': video('mov', false),
  'video/3gpp': video('3gp', false, 'audio/3gpp', 'video/3gpp2'),
  'application/pdf': file('pdf', 'application/x-pdf'),
  'application/zip': file('zip', 'application/x-zip-compressed', 'application/x-zip', 'multipart/x-zip'),
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': file('docx', 'application/zip'),
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': file('xlsx', 'application/zip'),
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': file('pptx', 'application/zip'),
  'application/vnd.oasis.opendocument.text': file('odt', 'application/zip'),
  'application/vnd.oasis.opendocument.spreadsheet': file('ods', 'application/zip'),
  'application/vnd.oasis.opendocument.presentation': file('odp', 'application/zip'),
  'application/epub+zip': file('epub', 'application/zip'),
  'text/plain': { ...file('txt', 'text/csv', 'text/markdown', 'text/calendar', 'text/vcard', 'text/x-vcard', 'application/json', 'text/tab-separated-values'), endings: ['csv', 'md', 'ics', 'vcf', 'json', 'tsv', 'log'] },
};

/** What says nothing about a type. */
const ANYTHING: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'application/binary', 'application/force-download', 'application/download', '*/*']);

/** `Image/PNG; charset=x` is `image/png`; undefined for what says nothing. */
export function declaredType(text: string | undefined): string | undefined {
  const type = text?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return ANYTHING.has(type) ? undefined : type;
}

/** Whether what was declared is what was found. */
export function agrees(declared: string, found: string): boolean {
  return declared === found || (TYPES[found]?.aliases?.includes(declared) ?? false);
}

/** Whether a block of this kind may hold this type. */
export function fitsKind(kind: BlobKind, found: string): boolean {
  return kind === 'file' || (TYPES[found]?.kinds.includes(kind) ?? false);
}

/** Whether a list of policy allows it: `image/png` one type, `image/*` a family, all of them where there is no list. */
export function isAllowed(type: string, allowed: readonly string[] | undefined): boolean {
  return !allowed || allowed.some((each) => each === type || each === '*/*' || (each.endsWith('/*') && type.startsWith(each.slice(0, -1))));
}

/** The name under which a file is given to others: it ends as its type does, so that nobody opens a text as the program its sender named it. */
export function nameFor(type: string, name: string): string {
  const { extension = 'bin', endings = [] } = TYPES[type] ?? {};
  if (name === '') return `file.${extension}`;
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase();
  return ending !== undefined && (ending === extension || endings.includes(ending)) ? name : `${name}.${extension}`;
}
