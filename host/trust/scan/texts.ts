// The texts of a package for rules about words in them, wherever they stand: the script's constants, and everything else line by line as it lies there.
import { isUtf8 } from 'node:buffer';
import { README_FILE, SBOM_FILE, SCRIPT_FILE } from '../package-names.ts';
import type { Content } from './finding.ts';
import { isInnerSum, linesOf, placeIn, summandsOf, type AnyNode, type Place, type Script } from './script.ts';

export interface Passage {
  readonly text: string;
  readonly file: string;
  /** Where an offset of the text stands in its file, as near as it is known. */
  readonly placeOf: (offset: number) => Place;
}

/**
 * What code can use as a text: literals, sums and calls that always come to the same, and of sums that do not, each run of neighbouring parts that do
 * (`'https://paste' + 'bin.com/' + id`). Of a script that nobody can read, all of it.
 */
export function* scriptTexts({ nodes, text, problem, parentOf, textOf, at }: Script): Iterable<Passage> {
  if (problem !== undefined) {
    yield { text, file: SCRIPT_FILE, placeOf: at };
    return;
  }
  for (const node of nodes) {
    const parent = parentOf(node);
    // The sum around it speaks for its parts; what a call makes of them may be something else.
    const isPart = parent !== undefined && isSum(parent);
    const texts = isSum(node) ? (isInnerSum(node, { parentOf }) ? [] : runsOf(partsOf(node), textOf))
      : node.type === 'CallExpression' ? (isPart ? [] : [textOf(node)])
      : node.type === 'Literal' && !isPart && typeof node.value === 'string' ? [node.value]
      : [];
    for (const each of texts) if (each !== undefined && each !== '') yield { text: each, file: SCRIPT_FILE, placeOf: () => at(node.start) };
  }
}

/** `a + b`, and a template. */
const isSum = (node: AnyNode) => (node.type === 'BinaryExpression' && node.operator === '+') || node.type === 'TemplateLiteral';

function partsOf(node: AnyNode): readonly AnyNode[] {
  if (node.type !== 'TemplateLiteral') return summandsOf(node);
  return node.quasis.flatMap((quasi, index) => [quasi, ...(node.expressions[index] ? [node.expressions[index]] : [])]);
}

/** Longer than any address; a run of big constants is cut here, so that a small script does not become much text. */
const LONGEST_RUN = 256 * 1024;

function* runsOf(parts: readonly AnyNode[], textOf: Script['textOf']): Iterable<string> {
  let run = '';
  for (const part of parts) {
    const known = part.type === 'TemplateElement' ? (part.value.cooked ?? part.value.raw) : textOf(part);
    if (known !== undefined && run.length + known.length <= LONGEST_RUN) {
      run += known;
      continue;
    }
    yield run;
    run = known ?? '';
  }
  yield run;
}

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
