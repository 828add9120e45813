// The texts of a package for rules about words in them, wherever they stand: the script's constants, and everything else line by line as it lies there.
import { isUtf8 } from 'node:buffer';
import { README_FILE, SBOM_FILE, SCRIPT_FILE } from '../package-names.ts';
import type { Content } from './finding.ts';
import { linesOf, placeIn, type AnyNode, type Place, type Script } from './script.ts';

export interface Passage {
  readonly text: string;
  readonly file: string;
  /** Where an offset of the text stands in its file, as near as it is known. */
  readonly placeOf: (offset: number) => Place;
}

/** What code can use as a text: literals, the parts of templates, and sums of constants. Of a script that nobody can read, all of it. */
export function* scriptTexts({ nodes, text, problem, parentOf, textOf, at }: Script): Iterable<Passage> {
  if (problem !== undefined) {
    yield { text, file: SCRIPT_FILE, placeOf: at };
    return;
  }
  /** Of a longer text that is known as a whole. */
  const isPart = (node: AnyNode) => {
    const parent = parentOf(node);
    return (parent?.type === 'BinaryExpression' || (parent?.type === 'TemplateLiteral' && parent.expressions.length > 0)) && textOf(parent) !== undefined;
  };
  for (const node of nodes) {
    if ((node.type === 'Literal' || node.type === 'TemplateElement') && isPart(node)) continue;
    const whole = node.type === 'Literal' ? (typeof node.value === 'string' ? node.value : undefined)
      : node.type === 'TemplateElement' ? (node.value.cooked ?? node.value.raw)
      : isSum(node.type) && !isSum(parentOf(node)?.type) ? textOf(node)
      : undefined;
    if (whole !== undefined && whole !== '') yield { text: whole, file: SCRIPT_FILE, placeOf: () => at(node.start) };
  }
}

/** Ways to make one text of several; `'ba'.split('').reverse().join('')` is a call. */
const isSum = (type: string | undefined) => type === 'BinaryExpression' || type === 'CallExpression' || type === 'TemplateLiteral';

/** Other files that are text, as they lie there; `withReadme` for what must not even stand in prose. The bill of materials names packages, not places. */
export function* otherTexts({ files }: Content, { withReadme }: { readonly withReadme: boolean }): Iterable<Passage> {
  for (const [file, bytes] of files) {
    if (file === SCRIPT_FILE || file === SBOM_FILE || file.endsWith('.dsse.json') || (file === README_FILE && !withReadme)) continue;
    if (!isUtf8(bytes) || bytes.includes(0)) continue;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    let lines: readonly number[] | undefined;
    yield { text, file, placeOf: (offset) => placeIn((lines ??= linesOf(text)), offset) };
  }
}
