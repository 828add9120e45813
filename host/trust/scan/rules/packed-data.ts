// Long texts that nobody can read: packed code, or data on its way out of sight. Words, markup and pictures that say they are pictures pass.
import { entropyOf, quote, type ContentRule } from '../finding.ts';
import { isInnerSum, memberName, summandsOf, type AnyNode, type Script } from '../script.ts';

export const packedData: ContentRule = {
  name: 'packed-data',
  *look({ script }) {
    let packed = 0;
    for (const node of script.nodes) {
      const text = textIn(node, script);
      if (text === undefined || !isPacked(text)) continue;
      packed += text.length;
      const isMost = packed > script.text.length / 2;
      yield {
        outcome: 'warn', risk: isMost ? 'high' : 'medium', ...script.at(node.start),
        message: `A text of ${text.length} characters that reads as packed data (${quote(text, 40)})${isMost ? '; with the others it is most of the script' : ''}. What is in it was not looked through.`,
        fix: 'Put data into assets/ in a form that can be read, or write down where it comes from and what unpacks it.',
      };
    }
  },
};

/** So long a text, or shorter ones that are so long together: in a list of so many, or in a sum. */
const LEAST_LENGTH = 1024;
const LEAST_ELEMENTS = 16;

function textIn(node: AnyNode, script: Script): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' && node.value.length >= LEAST_LENGTH ? node.value : undefined;
  if (node.type === 'TemplateElement') return node.value.raw.length >= LEAST_LENGTH ? node.value.raw : undefined;
  let whole = '';
  for (const part of partsOf(node, script)) if (part?.type === 'Literal' && typeof part.value === 'string' && part.value.length < LEAST_LENGTH) whole += part.value;
  return whole.length >= LEAST_LENGTH ? whole : undefined;
}

function partsOf(node: AnyNode, script: Script): readonly (AnyNode | null)[] {
  if (node.type === 'ArrayExpression') return node.elements.length < LEAST_ELEMENTS ? [] : node.elements;
  if (node.type === 'BinaryExpression') return isInnerSum(node, script) ? [] : summandsOf(node);
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return [];
  return memberName(node.callee, script) === 'concat' ? [node.callee.object, ...node.arguments] : [];
}

/** A picture or a font that says what it is, as bundlers put them in. */
const NAMED_DATA = /^data:(?:image|font|audio|video)\/[a-z0-9.+-]+;base64,/;

/** Base64 of anything compressed has 6 bits a character, of plain text about 5.2; hexadecimal digits 4 or less; words and code 4.2. Only the first part is weighed: packed data is packed throughout. */
const WEIGHED = 64 * 1024;

function isPacked(text: string): boolean {
  if (NAMED_DATA.test(text)) return false;
  const part = text.slice(0, WEIGHED);
  const isCode = /^[A-Za-z0-9+/=_\-\r\n]+$/.test(part);
  if (isCode && /^[0-9a-fA-F\r\n]+$/.test(part)) return entropyOf(part) > 3.2;
  if (isCode) return /[a-z]/.test(part) && /[A-Z]/.test(part) && /\d/.test(part) && entropyOf(part) > 5;
  // Bytes written as characters: no script of the world uses so many different ones so evenly, and none uses controls.
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  const controls = part.match(/[\u0000-\u0008\u000e-\u001f\u007f-\u009f]/g)?.length ?? 0;
  if (controls > part.length / 20) return true;
  const spaces = part.match(/\s/g)?.length ?? 0;
  return /^[\u0021-\u00ff\s]+$/.test(part) && spaces < part.length / 50 && entropyOf(part) > 5.6;
}
