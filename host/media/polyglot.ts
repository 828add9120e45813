// Whether a file is something else besides: the tricks by which one file is an image to one reader and a program, page or archive to the next. Used by inspect.ts.
import { startsWith } from './sniff.ts';
import { zipDirectory } from './zip.ts';

/** Readers of PDF look for its header this far in (Adobe's implementation note 13). */
const PDF_WITHIN = 1024;
/** WHATWG MIME Sniffing reads no more than 1445 bytes of a resource. */
const PAGE_WITHIN = 1445;
/** Self-extracting archives: their readers search this far for a signature. */
const ARCHIVE_WITHIN = 1024 * 1024;

const PAGE = /<(?:!doctype\s+html|html|head|body|script|iframe|svg|\?php)[\s>/]/i;
const ARCHIVES: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('526172211a07', 'hex'), 'a RAR archive'],
  [Buffer.from('377abcaf271c', 'hex'), 'a 7z archive'],
  [Buffer.from('fd377a585a00', 'hex'), 'an xz archive'],
  [Buffer.from('4d53434600000000', 'hex'), 'a cabinet'],
];
const BEHIND: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('1f8b08', 'hex'), 'a gzip archive'],
  [Buffer.from('MZ'), 'a program'],
  [Buffer.from('7f454c46', 'hex'), 'a program'],
  [Buffer.from('%PDF-'), 'a PDF'],
  [Buffer.from('PK'), 'a ZIP archive'],
];

/** What `type` is besides itself; undefined when nothing is found. `end` is where its own bytes end, as far as that is known. */
export function secondNature(type: string, bytes: Buffer, end = bytes.length): string | undefined {
  const isZip = type === 'application/zip';
  const pdf = bytes.subarray(0, PDF_WITHIN + 5).indexOf('%PDF-');
  if (pdf > 0 || (pdf === 0 && type !== 'application/pdf')) return 'a PDF';
  if (startsWith(bytes, 257, Buffer.from('ustar'))) return 'a tar archive';
  if (startsWith(bytes, 0x8001, Buffer.from('CD001'))) return 'a disc image';
  if (bytes.includes('__HALT_COMPILER();')) return 'a PHP archive';
  if (isShown(type) && PAGE.test(bytes.toString('latin1', 0, PAGE_WITHIN))) return 'a web page';
  if (!isZip) {
    const zip = zipDirectory(bytes);
    if (zip && ('problem' in zip || zip.entries > 0)) return 'a ZIP archive';
  }
  const first = bytes.subarray(0, ARCHIVE_WITHIN);
  const behind = bytes.subarray(Math.min(end, bytes.length));
  for (const [signature, what] of ARCHIVES) if ((!isZip && first.includes(signature)) || behind.includes(signature)) return what;
  return BEHIND.find(([signature]) => startsWith(behind, 0, signature))?.[1];
}

/** Only what browsers show in place is worth disguising a page as. */
const isShown = (type: string) => /^(image|audio|video)\//.test(type);
