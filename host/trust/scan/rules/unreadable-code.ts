// Code that no parser of JavaScript can read cannot be reviewed either: too deep, too new, or no code at all. What the other rules of code would say of it stays unsaid.
import { isUtf8 } from 'node:buffer';
import { SCRIPT_FILE } from '../../package-names.ts';
import { quote, type ContentRule } from '../finding.ts';

export const unreadableCode: ContentRule = {
  name: 'unreadable-code',
  *look({ files, script }) {
    const bytes = files.get(SCRIPT_FILE);
    if (bytes && !isUtf8(bytes)) {
      yield {
        outcome: 'warn', risk: 'high', file: SCRIPT_FILE,
        message: 'The script is not UTF-8 text: an editor may show something else than what runs.',
        fix: 'Save the sources as UTF-8 and build again.',
      };
    }
    if (script.problem === undefined) return;
    yield {
      outcome: 'warn', risk: 'high', file: SCRIPT_FILE,
      message: `The script cannot be read as JavaScript (${quote(script.problem, 120)}), so that nothing can be said about what it does.`,
      fix: 'Build it with `gatehouse build`, without nesting thousands of levels; or have it read by a person before anybody agrees to it.',
    };
  },
};
